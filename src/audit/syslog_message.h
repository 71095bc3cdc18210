// An audit line as a syslog message (RFC 5424).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace leash::audit {

// <PRI>1 TIMESTAMP HOSTNAME leash PROCID MSGID - LINE: facility 13 (log audit); severity 4
// (warning) for blocked, error and gap, else 6 (informational); the time is that of the line, in
// UTC; MSGID is the event's word. The message is the line, without its end.
class SyslogFormat {
 public:
  SyslogFormat(std::string_view hostname, long pid);
  [[nodiscard]] std::string message(std::string_view line) const;

 private:
  std::string source_;  // " HOSTNAME leash PROCID "
};

// The line without bodies and headers, with `"shortened": true` at its end, for transports that
// take no message of its length. nullopt where it is none of our lines.
[[nodiscard]] std::optional<std::string> shorten_line(std::string_view line);

}  // namespace leash::audit
