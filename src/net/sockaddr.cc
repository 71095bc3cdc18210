#include "net/sockaddr.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace leash::net {

RawAddress to_raw(const base::SocketAddress& address) {
  RawAddress raw;
  if (address.ip.is_v4()) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(address.port);
    in.sin_addr.s_addr = htonl(address.ip.v4_value());
    std::memcpy(&raw.storage, &in, sizeof in);
    raw.size = sizeof in;
  } else {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(address.port);
    std::memcpy(&in.sin6_addr, address.ip.bytes().data(), address.ip.bytes().size());
    std::memcpy(&raw.storage, &in, sizeof in);
    raw.size = sizeof in;
  }
  return raw;
}

std::optional<base::SocketAddress> from_raw(const RawAddress& raw) {
  if (raw.storage.ss_family == AF_INET && raw.size >= sizeof(sockaddr_in)) {
    sockaddr_in in{};
    std::memcpy(&in, &raw.storage, sizeof in);
    return base::SocketAddress{base::IpAddress::v4(ntohl(in.sin_addr.s_addr)), ntohs(in.sin_port)};
  }
  if (raw.storage.ss_family == AF_INET6 && raw.size >= sizeof(sockaddr_in6)) {
    sockaddr_in6 in{};
    std::memcpy(&in, &raw.storage, sizeof in);
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
    if (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr)) {
      std::uint32_t v4 = 0;
      std::memcpy(&v4, bytes.data() + 12, sizeof v4);
      return base::SocketAddress{base::IpAddress::v4(ntohl(v4)), ntohs(in.sin6_port)};
    }
    return base::SocketAddress{base::IpAddress::v6(bytes), ntohs(in.sin6_port)};
  }
  return std::nullopt;
}

std::optional<base::SocketAddress> local_address(int fd) {
  RawAddress raw;
  raw.size = sizeof raw.storage;
  if (::getsockname(fd, raw.get(), &raw.size) != 0) return std::nullopt;
  return from_raw(raw);
}

std::optional<base::SocketAddress> peer_address(int fd) {
  RawAddress raw;
  raw.size = sizeof raw.storage;
  if (::getpeername(fd, raw.get(), &raw.size) != 0) return std::nullopt;
  return from_raw(raw);
}

}  // namespace leash::net
