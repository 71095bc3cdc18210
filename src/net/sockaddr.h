// base::SocketAddress to and from the kernel's form.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>

#include "base/ip_address.h"

namespace leash::net {

struct RawAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

[[nodiscard]] RawAddress to_raw(const base::SocketAddress& address);
// nullopt for another family than IPv4 and IPv6. An IPv4-mapped address comes back as IPv4, since
// that is the peer's true one; a zone is dropped.
[[nodiscard]] std::optional<base::SocketAddress> from_raw(const RawAddress& raw);
// getsockname and getpeername; nullopt as above, or when the call fails.
[[nodiscard]] std::optional<base::SocketAddress> local_address(int fd);
[[nodiscard]] std::optional<base::SocketAddress> peer_address(int fd);

}  // namespace leash::net
