// What leashctl shows and counts of one line of the audit log.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/line_view.h"
#include "insight/moment.h"

namespace leash::insight {

// Texts are as the log has them, unescaped: only through printable(), csv_cell() and the like to
// the outside.
struct LogEvent {
  std::optional<double> ts;
  Moment time{};
  std::string event;
  std::string client;
  std::string agent;
  std::string host;
  std::optional<std::uint64_t> port;
  std::string method;
  std::string url;
  std::string reason;
  std::optional<std::uint64_t> status;
  std::uint64_t bytes = 0;
  std::optional<std::uint64_t> bytes_up;
  std::optional<std::uint64_t> bytes_down;
  std::optional<double> ms;
  bool would_block = false;
  std::string sni;
  std::string addr;
  std::string rule;
  std::string tls;
  std::string names;                      // "mismatch: ..."
  std::optional<std::uint64_t> requests;  // of a tunnel
  std::string id;
  std::optional<std::uint64_t> seq;
  // The further fields of an event that has no host (mode_change, policy_error, start, ...), values
  // as text.
  std::vector<std::pair<std::string, std::string>> others;

  // What the agent got and sent, as far as the line tells: both directions, else `bytes`.
  [[nodiscard]] std::uint64_t transferred() const;
};

// nullopt where the line is not a JSON object with an event.
[[nodiscard]] std::optional<LogEvent> read_event(std::string_view line);

// The fields of an event that has no host, "previous=enforce mode=audit". Not escaped.
[[nodiscard]] std::string details(const LogEvent& event);

enum class Colours { kOff, kOn };

// The heading of the columns of event_row.
[[nodiscard]] std::string event_heading();
// One line for people: time, event, client, what was asked, what came of it. Escaped; a long URL is
// shortened.
[[nodiscard]] std::string event_row(const LogEvent& event, Colours colours);

// "0 B", "17 B", "1.5 KiB", "3.2 GiB"
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);

}  // namespace leash::insight
