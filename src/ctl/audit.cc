#include <array>
#include <string_view>

#include "ctl/commands.h"
#include "ctl/event_query.h"
#include "ctl/log_event.h"
#include "ctl/printable.h"

namespace leash::ctl {
namespace {

constexpr std::string_view kCsvHeading =
    "time,event,client,agent,host,port,method,url,status,bytes,bytes_up,bytes_down,ms,reason,audit,"
    "sni,addr,tls,rule,id,seq";

std::string number_cell(const std::optional<std::uint64_t>& value) {
  return value ? std::to_string(*value) : std::string();
}

std::string csv_row(const LogEvent& event) {
  const std::array<std::string, 21> cells = {
      event.ts ? moment_text(event.time) : std::string(),
      csv_cell(event.event),
      csv_cell(event.client),
      csv_cell(event.agent),
      csv_cell(event.host),
      number_cell(event.port),
      csv_cell(event.method),
      csv_cell(event.url),
      number_cell(event.status),
      event.bytes > 0 ? std::to_string(event.bytes) : std::string(),
      number_cell(event.bytes_up),
      number_cell(event.bytes_down),
      event.ms ? std::to_string(*event.ms) : std::string(),
      csv_cell(event.host.empty() ? details(event) : event.reason),
      event.would_block ? "would_block_in_enforce" : "",
      csv_cell(event.sni),
      csv_cell(event.addr),
      csv_cell(event.tls),
      csv_cell(event.rule),
      csv_cell(event.id),
      number_cell(event.seq)};
  std::string row;
  for (const std::string& cell : cells) {
    if (&cell != &cells.front()) row += ',';
    row += cell;
  }
  return row;
}

}  // namespace

int run_audit(const Context& context, const AuditOptions& options) {
  const auto query = EventQuery::parse(options.filter, context.now());
  if (!query) {
    context.fail(query.error());
    return kUsage;
  }
  const Colours colours = context.is_coloured ? Colours::kOn : Colours::kOff;
  if (options.output == AuditOutput::kCsv) context.out << kCsvHeading << "\r\n";
  if (options.output == AuditOutput::kTable) context.out << event_heading() << '\n';
  return for_each_event(context, options.files, *query,
                        [&](const LogEvent& event, std::string_view line) {
                          switch (options.output) {
                            case AuditOutput::kTable:
                              context.out << event_row(event, colours) << '\n';
                              break;
                            case AuditOutput::kNdjson:
                              context.out << ascii_json(line) << '\n';
                              break;
                            case AuditOutput::kCsv:
                              context.out << csv_row(event) << "\r\n";
                              break;
                          }
                        });
}

}  // namespace leash::ctl
