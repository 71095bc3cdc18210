#include <array>
#include <string_view>

#include "audit/open_intents.h"
#include "ctl/commands.h"
#include "ctl/event_query.h"
#include "ctl/log_paths.h"
#include "insight/log_event.h"
#include "insight/printable.h"

namespace leash::ctl {
namespace {

constexpr std::string_view kCsvHeading =
    "time,event,client,agent,host,port,method,url,status,bytes,bytes_up,bytes_down,ms,reason,audit,"
    "sni,addr,tls,rule,id,seq";

std::string number_cell(const std::optional<std::uint64_t>& value) {
  return value ? std::to_string(*value) : std::string();
}

std::string csv_row(const insight::LogEvent& event) {
  const std::array<std::string, 21> cells = {
      event.ts ? insight::moment_text(event.time) : std::string(),
      insight::csv_cell(event.event),
      insight::csv_cell(event.client),
      insight::csv_cell(event.agent),
      insight::csv_cell(event.host),
      number_cell(event.port),
      insight::csv_cell(event.method),
      insight::csv_cell(event.url),
      number_cell(event.status),
      event.bytes > 0 ? std::to_string(event.bytes) : std::string(),
      number_cell(event.bytes_up),
      number_cell(event.bytes_down),
      event.ms ? std::to_string(*event.ms) : std::string(),
      insight::csv_cell(event.host.empty() ? insight::details(event) : event.reason),
      event.would_block ? "would_block_in_enforce" : "",
      insight::csv_cell(event.sni),
      insight::csv_cell(event.addr),
      insight::csv_cell(event.tls),
      insight::csv_cell(event.rule),
      insight::csv_cell(event.id),
      number_cell(event.seq)};
  std::string row;
  for (const std::string& cell : cells) {
    if (&cell != &cells.front()) row += ',';
    row += cell;
  }
  return row;
}

class Printer {
 public:
  // `more`: what stands behind each event, with its heading.
  Printer(const Context& context, AuditOutput output, std::string_view more)
      : context_(context),
        output_(output),
        colours_(context.is_coloured ? insight::Colours::kOn : insight::Colours::kOff) {
    const std::string comma = more.empty() ? "" : ",";
    if (output == AuditOutput::kCsv) context.out << kCsvHeading << comma << more << "\r\n";
    if (output == AuditOutput::kTable) context.out << insight::event_heading() << '\n';
  }

  void print(const insight::LogEvent& event, std::string_view line, std::string_view more) const {
    const std::string_view comma = more.empty() ? "" : ",";
    const std::string_view blanks = more.empty() ? "" : "  ";
    switch (output_) {
      case AuditOutput::kTable:
        context_.out << insight::event_row(event, colours_) << blanks << more << '\n';
        break;
      case AuditOutput::kNdjson:
        context_.out << insight::ascii_json(line) << '\n';
        break;
      case AuditOutput::kCsv:
        context_.out << csv_row(event) << comma << more << "\r\n";
        break;
    }
  }

 private:
  const Context& context_;
  AuditOutput output_;
  insight::Colours colours_;
};

}  // namespace

int run_audit(const Context& context, const AuditOptions& options) {
  const auto query = EventQuery::parse(options.filter, context.now());
  if (!query) {
    context.fail(query.error());
    return kUsage;
  }
  const Printer printer(context, options.output, "");
  return for_each_event(context, options.logs, *query,
                        [&](const insight::LogEvent& event, std::string_view line) {
                          printer.print(event, line, "");
                        });
}

int run_audit_open(const Context& context, const AuditOptions& options) {
  const auto query = EventQuery::parse(options.filter, context.now());
  if (!query) {
    context.fail(query.error());
    return kUsage;
  }
  const auto paths = log_paths(context, options.logs);
  if (!paths) return context.fail(paths.error());
  audit::OpenIntents open(audit::OpenIntents::Keep::kLines);
  int code = kDone;
  for (const std::string& path : *paths) {
    const auto done = read_lines(path, [&open](std::string_view line) { open.add(line); });
    if (!done) code = context.fail(done.error());
  }
  const Printer printer(context, options.output, "state");
  std::size_t left = 0;
  std::size_t shown = 0;
  for (const audit::OpenIntents::Intent& intent : open.intents()) {
    const auto event = insight::read_event(intent.line);
    if (!event || !query->matches(*event)) continue;
    printer.print(*event, intent.line, intent.is_left ? "left open" : "under way");
    ++shown;
    if (intent.is_left) ++left;
  }
  if (options.output == AuditOutput::kTable) {
    context.out << shown << " without an outcome: " << shown - left << " under way, " << left
                << " left open by an earlier run\n";
  }
  return code;
}

}  // namespace leash::ctl
