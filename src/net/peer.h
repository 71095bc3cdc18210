// Who is at the other end of an accepted connection.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/ip_address.h"

namespace leash::net {

struct Peer {
  base::SocketAddress address;  // 0.0.0.0:0 on a unix socket
  bool is_unix = false;
  // Of the process that connected to a unix socket, as the kernel tells it (SO_PEERCRED): in our
  // user namespace, so a user that is not mapped there is the overflow id (65534).
  std::optional<std::uint32_t> uid;

  // What it is called in the log: "10.0.0.7", "2001:db8::7", "unix:1000".
  [[nodiscard]] std::string name() const {
    if (!is_unix) return address.ip.text();
    return "unix:" + (uid ? std::to_string(*uid) : std::string("unknown"));
  }
  // Who it counts for: the same, but that an IPv6 client has a whole /64 of addresses to come from.
  [[nodiscard]] std::string account() const {
    if (is_unix || address.ip.is_v4()) return name();
    std::array<std::uint8_t, 16> network = address.ip.bytes();
    std::fill(network.begin() + 8, network.end(), std::uint8_t{0});
    return base::IpAddress::v6(network).text() + "/64";
  }
};

}  // namespace leash::net
