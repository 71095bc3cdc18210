// Which resolved addresses may be dialled, in every mode.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.h"
#include "policy/decide.h"

namespace leash::policy {

// "public", "loopback", "private", "link_local", "shared" (CGNAT), "multicast", "reserved",
// "metadata", "unspecified", "documentation", "benchmarking". IPv4 embedded in IPv6 (mapped,
// compatible, NAT64 64:ff9b::/96 and 64:ff9b:1::/48, 6to4, Teredo) is judged as that IPv4.
[[nodiscard]] std::string_view address_class(const base::IpAddress& ip);

// Every IPv4 address that a translator or tunnel on the way might reach for an IPv6 address of
// those kinds: for Teredo server and client, for 64:ff9b:1::/48 each layout of RFC 6052. Empty for
// all other addresses.
[[nodiscard]] std::vector<base::IpAddress> embedded_addresses(const base::IpAddress& ip);

class AddressGuard {
 public:
  // `opened`: --allow-origin-network. `own`: leash's own listeners (a wildcard address stands for
  // every local address).
  AddressGuard(std::vector<base::Network> opened, std::vector<base::SocketAddress> own,
               std::vector<base::IpAddress> local_addresses);

  // "" where `address` may be dialled, else what it is ("loopback", "own_listener", ...). Own
  // listeners are always refused; metadata services unless opened as a single address; every other
  // non-public class unless a network of the decision or `opened` covers it.
  [[nodiscard]] std::string_view refusal(const base::SocketAddress& address,
                                         const Decision& decision) const;
  // The first of them that may not be dialled; null where all may.
  [[nodiscard]] const base::SocketAddress* first_refused(
      const std::vector<base::SocketAddress>& addresses, const Decision& decision) const;

 private:
  std::vector<base::Network> opened_;
  std::vector<base::SocketAddress> own_;
  std::vector<base::IpAddress> local_;
};

}  // namespace leash::policy
