#include "base/syslog_target.h"

#include "base/endpoint.h"

namespace leash::base {
namespace {

constexpr std::string_view kUnixSocket = "unix:";
constexpr std::string_view kUdp = "udp://";
constexpr std::string_view kTcp = "tcp://";

}  // namespace

Result<SyslogTarget> SyslogTarget::parse(std::string_view text) {
  SyslogTarget out;
  if (text.starts_with(kUnixSocket)) {
    auto endpoint = Endpoint::parse(text);
    if (!endpoint) return tl::unexpected(std::move(endpoint.error()));
    out.path = std::move(endpoint->path);
    return out;
  }
  if (!text.starts_with(kUdp) && !text.starts_with(kTcp)) {
    return fail(Code::kBadSyntax, Fault::kClient,
                "neither unix:PATH nor udp://HOST:PORT nor tcp://HOST:PORT");
  }
  out.transport = text.starts_with(kUdp) ? Transport::kUdp : Transport::kTcp;
  auto server = parse_connect_target(text.substr(kUdp.size()));
  if (!server) return tl::unexpected(std::move(server.error()));
  out.server = std::move(*server);
  return out;
}

std::string SyslogTarget::text() const {
  switch (transport) {
    case Transport::kUnix:
      return std::string(kUnixSocket) + path;
    case Transport::kUdp:
      return std::string(kUdp) + server.text();
    case Transport::kTcp:
      return std::string(kTcp) + server.text();
  }
  return path;
}

}  // namespace leash::base
