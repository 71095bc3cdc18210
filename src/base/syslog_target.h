// Where log messages are sent: a syslog daemon's socket.
#pragma once

#include <string>
#include <string_view>

#include "base/authority.h"
#include "base/error.h"

namespace leash::base {

struct SyslogTarget {
  enum class Transport { kUnix, kUdp, kTcp };
  Transport transport = Transport::kUnix;
  std::string path;  // kUnix
  Authority server;  // kUdp, kTcp

  // "unix:/dev/log" (as base::Endpoint has it), "udp://HOST:PORT", "tcp://HOST:PORT"; the port is
  // required. Errors: bad_syntax, bad_port, and those of Host::parse.
  [[nodiscard]] static Result<SyslogTarget> parse(std::string_view text);
  [[nodiscard]] std::string text() const;
};

}  // namespace leash::base
