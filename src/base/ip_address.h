// IP addresses and networks as values.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace leash::base {

class IpAddress {
 public:
  IpAddress() = default;  // 0.0.0.0
  // Strict spellings only: four decimal octets without leading zeros, or RFC 4291 s. 2.2 text
  // without zone and brackets. nullopt for everything else.
  [[nodiscard]] static std::optional<IpAddress> parse(std::string_view text);
  [[nodiscard]] static IpAddress v4(std::uint32_t host_order);
  [[nodiscard]] static IpAddress v6(const std::array<std::uint8_t, 16>& bytes);

  [[nodiscard]] bool is_v4() const { return is_v4_; }
  // Host order; only for is_v4().
  [[nodiscard]] std::uint32_t v4_value() const;
  // Network order; for IPv4 the first four bytes.
  [[nodiscard]] const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
  // RFC 5952 text, without brackets.
  [[nodiscard]] std::string text() const;

  auto operator<=>(const IpAddress&) const = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
  bool is_v4_ = true;
};

struct Network {
  IpAddress address;
  int prefix = 0;  // bits

  // "10.0.0.0/8", "fd00::/8", or one address. Host bits may be set (they are ignored).
  // Errors: bad_syntax.
  [[nodiscard]] static Result<Network> parse(std::string_view text);
  // Families never match each other: 10.0.0.0/8 does not contain ::ffff:10.0.0.1.
  [[nodiscard]] bool contains(const IpAddress& ip) const;
  [[nodiscard]] std::string text() const;
};

struct SocketAddress {
  IpAddress ip;
  std::uint16_t port = 0;

  // "127.0.0.1:8080" or "[::1]:8080". Port 0 is allowed (the kernel chooses). Errors: bad_syntax,
  // bad_port.
  [[nodiscard]] static Result<SocketAddress> parse(std::string_view text);
  [[nodiscard]] std::string text() const;
  auto operator<=>(const SocketAddress&) const = default;
};

}  // namespace leash::base
