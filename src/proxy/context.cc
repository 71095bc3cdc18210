#include "proxy/context.h"

namespace leash::proxy {

std::string Context::url() const {
  const std::uint16_t default_port = scheme == "https" ? 443 : 80;
  base::Authority shown = authority;
  if (head.host) {
    shown.host = head.host->host;
    // Host without a port means the scheme's own, but then a tunnel to another port is meant all
    // the same.
    shown.port = head.host->port != 0 ? head.host->port : authority.port;
  }
  return scheme + "://" + shown.text_without(default_port) + head.path;
}

}  // namespace leash::proxy
