// What the proxy itself is called, where a client speaks TLS to its port.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/authority.h"
#include "base/error.h"
#include "base/ip_address.h"

namespace leash::proxy {

class ProxyNames {
 public:
  // `names` empty: localhost and the host's name.
  explicit ProxyNames(std::vector<base::Host> names);

  // The name that the leaf for such a connection is for. An SNI must be one of ours, or the very
  // address that was connected to; without one it is the first address among the names (where the
  // client sees another address than we do), else the one connected to, else (on a unix socket)
  // the first name. Errors (fault client): name_mismatch.
  [[nodiscard]] base::Result<base::Host> choose(const std::optional<std::string>& sni,
                                                const std::optional<base::IpAddress>& local) const;

 private:
  std::vector<base::Host> names_;  // never empty
};

}  // namespace leash::proxy
