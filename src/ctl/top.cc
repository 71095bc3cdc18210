#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "ctl/commands.h"
#include "ctl/event_query.h"
#include "insight/log_event.h"
#include "insight/printable.h"

namespace leash::ctl {
namespace {

struct Counts {
  std::uint64_t requests = 0;
  std::uint64_t refused = 0;
  std::uint64_t errors = 0;
  std::uint64_t bytes = 0;
};

// Requests are counted by their outcome, so that an intent and its outcome are one. The bytes of an
// intercepted tunnel are those of the requests inside, which have lines of their own.
void count(Counts& counts, const insight::LogEvent& event) {
  if (event.event == "allowed" || event.event == "blocked" || event.event == "error") {
    ++counts.requests;
    if (event.event == "blocked") ++counts.refused;
    if (event.event == "error") ++counts.errors;
    counts.bytes += event.transferred();
  } else if (event.event == "websocket_closed" ||
             (event.event == "tunnel_closed" && event.tls == "splice")) {
    counts.bytes += event.transferred();
  }
}

using Row = std::pair<std::string, Counts>;

class Table {
 public:
  void add(const std::string& name, const insight::LogEvent& event) {
    // An agent chooses the hosts it asks for, and so how many there are.
    if (rows_.size() >= kMaxNames && !rows_.contains(name)) {
      count(others_, event);
      return;
    }
    count(rows_[name], event);
  }

  void print(std::ostream& out, std::string_view heading, std::size_t max,
             std::uint64_t Counts::*order) const {
    std::vector<Row> rows;
    for (const auto& row : rows_) {
      if (row.second.*order > 0) rows.push_back(row);
    }
    if (others_.*order > 0) rows.emplace_back("(further names)", others_);
    const auto end = rows.begin() + static_cast<std::ptrdiff_t>(std::min(max, rows.size()));
    std::partial_sort(rows.begin(), end, rows.end(), [order](const Row& a, const Row& b) {
      return a.second.*order != b.second.*order ? a.second.*order > b.second.*order
                                                : a.first < b.first;
    });
    out << fmt::format("{:>9} {:>9} {:>9} {:>11}  {}\n", "REQUESTS", "REFUSED", "ERRORS", "BYTES",
                       heading);
    for (auto row = rows.begin(); row != end; ++row) {
      out << fmt::format("{:>9} {:>9} {:>9} {:>11}  {}\n", row->second.requests,
                         row->second.refused, row->second.errors,
                         insight::bytes_text(row->second.bytes),
                         insight::shortened(insight::printable(row->first), 253));
    }
  }

 private:
  static constexpr std::size_t kMaxNames = 1'000'000;
  std::unordered_map<std::string, Counts> rows_;
  Counts others_;
};

}  // namespace

int run_top(const Context& context, const TopOptions& options) {
  const auto query = EventQuery::parse(options.filter, context.now());
  if (!query) {
    context.fail(query.error());
    return kUsage;
  }
  Table hosts;
  Table agents;
  const int code = for_each_event(
      context, options.logs, *query, [&](const insight::LogEvent& event, std::string_view) {
        if (event.host.empty()) return;
        hosts.add(event.host, event);
        agents.add(event.agent.empty() ? event.client : event.agent, event);
      });
  hosts.print(context.out, "HOST, by requests", options.rows, &Counts::requests);
  context.out << '\n';
  agents.print(context.out, "AGENT, by requests", options.rows, &Counts::requests);
  context.out << '\n';
  hosts.print(context.out, "HOST, by bytes", options.rows, &Counts::bytes);
  context.out << '\n';
  hosts.print(context.out, "HOST, by refusals", options.rows, &Counts::refused);
  return code;
}

}  // namespace leash::ctl
