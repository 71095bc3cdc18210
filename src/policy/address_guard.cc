#include "policy/address_guard.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>

namespace leash::policy {
namespace {

using base::IpAddress;
using base::Network;

std::uint32_t v4_at(const std::array<std::uint8_t, 16>& b, std::size_t i) {
  return std::uint32_t{b[i]} << 24 | std::uint32_t{b[i + 1]} << 16 | std::uint32_t{b[i + 2]} << 8 |
         std::uint32_t{b[i + 3]};
}

bool is_zero(const std::array<std::uint8_t, 16>& b, std::size_t begin, std::size_t end) {
  return std::all_of(b.begin() + static_cast<std::ptrdiff_t>(begin),
                     b.begin() + static_cast<std::ptrdiff_t>(end),
                     [](std::uint8_t byte) { return byte == 0; });
}

bool starts_with(const std::array<std::uint8_t, 16>& b, std::initializer_list<std::uint8_t> head) {
  return std::equal(head.begin(), head.end(), b.begin());
}

constexpr std::uint32_t ip(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  return a << 24 | b << 16 | c << 8 | d;
}

struct Range4 {
  std::uint32_t address;
  int bits;
  std::string_view name;
};

// IANA IPv4 special-purpose registry, and the metadata services of the large clouds. The first
// match counts.
constexpr Range4 kRanges4[] = {
    {ip(169, 254, 169, 254), 32, "metadata"},  // AWS, GCP, Azure, OpenStack, ...
    {ip(169, 254, 170, 2), 32, "metadata"},    // AWS container credentials
    {ip(169, 254, 170, 23), 32, "metadata"},   // AWS pod identity
    {ip(169, 254, 42, 42), 32, "metadata"},    // Scaleway
    {ip(168, 63, 129, 16), 32, "metadata"},    // Azure WireServer
    {ip(100, 100, 100, 200), 32, "metadata"},  // Alibaba
    {ip(192, 0, 0, 192), 32, "metadata"},      // Oracle, the old one
    {ip(0, 0, 0, 0), 32, "unspecified"},
    {ip(0, 0, 0, 0), 8, "reserved"},
    {ip(10, 0, 0, 0), 8, "private"},
    {ip(100, 64, 0, 0), 10, "shared"},
    {ip(127, 0, 0, 0), 8, "loopback"},
    {ip(169, 254, 0, 0), 16, "link_local"},
    {ip(172, 16, 0, 0), 12, "private"},
    {ip(192, 0, 0, 0), 24, "reserved"},
    {ip(192, 0, 2, 0), 24, "documentation"},
    {ip(192, 88, 99, 0), 24, "reserved"},
    {ip(192, 168, 0, 0), 16, "private"},
    {ip(198, 18, 0, 0), 15, "benchmarking"},
    {ip(198, 51, 100, 0), 24, "documentation"},
    {ip(203, 0, 113, 0), 24, "documentation"},
    {ip(224, 0, 0, 0), 4, "multicast"},
    {ip(240, 0, 0, 0), 4, "reserved"},
};

std::string_view class_of_v4(std::uint32_t value) {
  for (const Range4& range : kRanges4) {
    const std::uint32_t mask = ~std::uint32_t{0} << (32 - range.bits);
    if ((value & mask) == range.address) return range.name;
  }
  return "public";
}

// The IPv4 address that an IPv6 address carries. nullopt: none that can be told.
std::optional<std::uint32_t> embedded_v4(const std::array<std::uint8_t, 16>& b) {
  if (is_zero(b, 0, 8)) {
    const bool is_mapped = b[8] == 0 && b[9] == 0 && b[10] == 0xff && b[11] == 0xff;
    const bool is_translated =
        b[8] == 0xff && b[9] == 0xff && b[10] == 0 && b[11] == 0;      // RFC 7915
    const bool is_compatible = is_zero(b, 8, 12) && v4_at(b, 12) > 1;  // not "::" and "::1"
    if (is_mapped || is_translated || is_compatible) return v4_at(b, 12);
  }
  if (starts_with(b, {0x00, 0x64, 0xff, 0x9b}) && is_zero(b, 4, 12)) return v4_at(b, 12);
  if (starts_with(b, {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01})) {
    // RFC 8215 leaves the layout (RFC 6052 s. 2.2) to the site. Two can be told apart; the rest
    // stays "reserved".
    if (is_zero(b, 6, 12)) return v4_at(b, 12);
    if (b[8] == 0 && is_zero(b, 11, 16)) {
      return std::uint32_t{b[6]} << 24 | std::uint32_t{b[7]} << 16 | std::uint32_t{b[9]} << 8 |
             std::uint32_t{b[10]};
    }
    return std::nullopt;
  }
  if (starts_with(b, {0x20, 0x02})) return v4_at(b, 2);  // 6to4
  if (starts_with(b, {0x20, 0x01, 0x00, 0x00})) {        // Teredo: server in clear, client inverted
    const std::uint32_t server = v4_at(b, 4);
    return class_of_v4(server) != "public" ? server : ~v4_at(b, 12);
  }
  return std::nullopt;
}

// What the kernel or a translator on the way would reach.
IpAddress effective(const IpAddress& address) {
  if (address.is_v4()) return address;
  const auto inner = embedded_v4(address.bytes());
  return inner ? IpAddress::v4(*inner) : address;
}

std::string_view class_of_v6(const std::array<std::uint8_t, 16>& b) {
  if (is_zero(b, 0, 15)) {
    if (b[15] == 0) return "unspecified";
    if (b[15] == 1) return "loopback";
  }
  // AWS, AWS pod identity, GCP.
  if (starts_with(b, {0xfd, 0x00, 0x0e, 0xc2}) && is_zero(b, 4, 14) && b[14] == 0x02 &&
      b[15] == 0x54) {
    return "metadata";
  }
  if (starts_with(b, {0xfd, 0x00, 0x0e, 0xc2}) && is_zero(b, 4, 15) && b[15] == 0x23) {
    return "metadata";
  }
  if (starts_with(b, {0xfd, 0x20, 0x00, 0xce}) && is_zero(b, 4, 14) && b[14] == 0x02 &&
      b[15] == 0x54) {
    return "metadata";
  }
  if ((b[0] & 0xfe) == 0xfc) return "private";
  if (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) return "link_local";
  if (b[0] == 0xfe && (b[1] & 0xc0) == 0xc0) return "private";  // site-local, deprecated
  if (b[0] == 0xff) return "multicast";
  if (starts_with(b, {0x20, 0x01, 0x0d, 0xb8})) return "documentation";
  if (starts_with(b, {0x3f, 0xff}) && (b[2] & 0xf0) == 0) return "documentation";
  if (starts_with(b, {0x20, 0x01, 0x00, 0x02, 0x00, 0x00})) return "benchmarking";
  if (starts_with(b, {0x20, 0x01}) && (b[2] & 0xfe) == 0) return "reserved";  // 2001::/23
  // Only 2000::/3 is global unicast (RFC 4291 s. 2.4 and IANA).
  if ((b[0] & 0xe0) != 0x20) return "reserved";
  return "public";
}

bool is_unspecified(const IpAddress& address) { return address_class(address) == "unspecified"; }

bool is_single(const Network& network) {
  return network.prefix == (network.address.is_v4() ? 32 : 128);
}

bool covers(const std::vector<Network>& networks, const IpAddress& address, bool only_single) {
  return std::any_of(networks.begin(), networks.end(), [&](const Network& network) {
    return network.contains(address) && (!only_single || is_single(network));
  });
}

}  // namespace

std::string_view address_class(const IpAddress& address) {
  const IpAddress real = effective(address);
  return real.is_v4() ? class_of_v4(real.v4_value()) : class_of_v6(real.bytes());
}

std::vector<IpAddress> embedded_addresses(const IpAddress& address) {
  if (address.is_v4()) return {};
  const auto& b = address.bytes();
  std::vector<IpAddress> found;
  const auto add = [&found](std::uint32_t value) {
    const IpAddress inner = IpAddress::v4(value);
    if (std::find(found.begin(), found.end(), inner) == found.end()) found.push_back(inner);
  };
  if (starts_with(b, {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01})) {
    // RFC 6052 s. 2.2: prefixes of 96, 64, 56 and 48 bits; the byte at 8 is no part of the address.
    const auto at = [&b](std::size_t i, std::size_t j, std::size_t k, std::size_t l) {
      return ip(b[i], b[j], b[k], b[l]);
    };
    add(at(12, 13, 14, 15));
    add(at(9, 10, 11, 12));
    add(at(7, 9, 10, 11));
    add(at(6, 7, 9, 10));
  } else if (starts_with(b, {0x20, 0x01, 0x00, 0x00})) {  // Teredo
    add(v4_at(b, 4));
    add(~v4_at(b, 12));
  } else if (const auto inner = embedded_v4(b)) {
    add(*inner);
  }
  return found;
}

AddressGuard::AddressGuard(std::vector<Network> opened, std::vector<base::SocketAddress> own,
                           std::vector<IpAddress> local_addresses)
    : opened_(std::move(opened)), own_(std::move(own)), local_(std::move(local_addresses)) {
  for (auto& listener : own_) listener.ip = effective(listener.ip);
  for (auto& local : local_) local = effective(local);
}

std::string_view AddressGuard::refusal(const base::SocketAddress& address,
                                       const Decision& decision) const {
  const IpAddress real = effective(address.ip);
  const std::string_view kind = address_class(real);
  // Linux takes a connection to the unspecified address to the loopback interface.
  const bool is_local_anyway = kind == "loopback" || kind == "unspecified";
  for (const base::SocketAddress& own : own_) {
    if (own.port != address.port) continue;
    if (own.ip == real) return "own_listener";
    const bool hits_loopback = kind == "unspecified" && address_class(own.ip) == "loopback";
    const bool hits_wildcard =
        is_unspecified(own.ip) &&
        (is_local_anyway || std::find(local_.begin(), local_.end(), real) != local_.end());
    if (hits_loopback || hits_wildcard) return "own_listener";
  }
  if (kind == "public" || decision.names_address) return {};
  const bool only_single = kind == "metadata";
  if (covers(opened_, real, only_single) || covers(decision.networks, real, only_single)) return {};
  return kind;
}

const base::SocketAddress* AddressGuard::first_refused(
    const std::vector<base::SocketAddress>& addresses, const Decision& decision) const {
  const auto found = std::find_if(
      addresses.begin(), addresses.end(),
      [&](const base::SocketAddress& address) { return !refusal(address, decision).empty(); });
  return found == addresses.end() ? nullptr : &*found;
}

}  // namespace leash::policy
