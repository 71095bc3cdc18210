#include "proxy/context.h"

namespace leash::proxy {

std::string Context::url() const {
  const std::uint16_t default_port = scheme == "https" ? 443 : 80;
  const base::Host& host = head.host ? head.host->host : authority.host;
  // Host without a port means the scheme's own, but then a tunnel to another port is meant all the
  // same.
  const bool has_port = head.host && head.host->port != 0;
  const std::uint16_t port = has_port ? head.host->port : authority.port;
  const std::string shown = host.bracketed();
  std::string out;
  out.reserve(scheme.size() + shown.size() + head.path.size() + 16);
  out.append(scheme).append("://").append(shown);
  if (port != default_port) out.append(":").append(std::to_string(port));
  out.append(head.path);
  return out;
}

}  // namespace leash::proxy
