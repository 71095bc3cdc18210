// What a report tells of a log, counted in bounded memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ctl/timeline.h"
#include "insight/log_event.h"

namespace leash::ctl {

// Texts as the log has them: only through html_text() to the outside.
struct Tally {
  Verdicts verdicts;
  std::uint64_t bytes_out = 0;  // from the agent to the origin
  std::uint64_t bytes_in = 0;
  insight::Moment first = insight::Moment::max();
  insight::Moment last = insight::Moment::min();
  std::string sample;  // "GET https://..." of the last one, without its query
  std::string detail;  // of the last one: the rule, the words behind an error
};

// Rows by name; past `most` different names all others share a row.
class Tallies {
 public:
  explicit Tallies(std::size_t most) : most_(most) {}
  // The row of `name`, cut to 1024 bytes.
  Tally& row(const std::string& name);

  using Row = std::pair<std::string, Tally>;
  // Those with something to order by, the greatest first, equal ones by name; with the row of all
  // others, which has the name "", at the end.
  template <class Order>
  [[nodiscard]] std::vector<Row> sorted(Order order) const;
  [[nodiscard]] std::size_t size() const { return rows_.size(); }

 private:
  std::size_t most_;
  std::unordered_map<std::string, Tally> rows_;
  Tally others_;
};

// A name of several parts, for Tallies.
[[nodiscard]] std::string joined_key(const std::vector<std::string>& parts);
[[nodiscard]] std::vector<std::string> parts_of(const std::string& key);

class ReportData {
 public:
  // Events in the order of the log.
  void add(const insight::LogEvent& event);

  struct Change {
    insight::Moment time{};
    std::string event;
    std::string text;
  };
  static constexpr std::size_t kMostChanges = 200;

  Tally total;
  std::uint64_t tunnels = 0;  // spliced: passed on unread
  Timeline timeline;
  Tallies hosts{100'000};
  Tallies agents{20'000};
  Tallies refusals{50'000};          // HOST:PORT, reason
  Tallies would_be_refused{50'000};  // HOST:PORT, method
  Tallies errors{5'000};             // the error's word
  std::deque<Change> changes;        // the last ones: modes, policy, start and stop
  std::uint64_t changes_left_out = 0;
  std::string mode;  // the last that the log names; "" where it names none
  insight::Moment first = insight::Moment::max();  // of all events
  insight::Moment last = insight::Moment::min();

 private:
  void add_outcome(const insight::LogEvent& event);
  void add_bytes(const insight::LogEvent& event);
  void add_change(const insight::LogEvent& event);
};

template <class Order>
std::vector<Tallies::Row> Tallies::sorted(Order order) const {
  std::vector<Row> out;
  for (const auto& row : rows_) {
    if (order(row.second) > 0) out.push_back(row);
  }
  std::sort(out.begin(), out.end(), [&order](const Row& a, const Row& b) {
    const auto x = order(a.second);
    const auto y = order(b.second);
    return x != y ? x > y : a.first < b.first;
  });
  if (order(others_) > 0) out.emplace_back(std::string(), others_);
  return out;
}

}  // namespace leash::ctl
