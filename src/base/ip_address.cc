#include "base/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace leash::base {
namespace {

// A decimal without sign and leading zeros.
std::optional<std::uint64_t> plain_number(std::string_view text, std::uint64_t max) {
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  return parse_decimal(text, max);
}

int bits(const IpAddress& ip) { return ip.is_v4() ? 32 : 128; }

// `ip` with all bits after the first `prefix` cleared.
IpAddress masked(const IpAddress& ip, int prefix) {
  std::array<std::uint8_t, 16> bytes = ip.bytes();
  for (int i = 0; i < bits(ip) / 8; ++i) {
    const int kept = std::clamp(prefix - i * 8, 0, 8);
    auto& byte = bytes[static_cast<std::size_t>(i)];
    byte = static_cast<std::uint8_t>(byte & (0xff00 >> kept));
  }
  if (!ip.is_v4()) return IpAddress::v6(bytes);
  return IpAddress::v4(static_cast<std::uint32_t>(bytes[0]) << 24 |
                       static_cast<std::uint32_t>(bytes[1]) << 16 |
                       static_cast<std::uint32_t>(bytes[2]) << 8 | bytes[3]);
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  // inet_pton is strict in both families (no inet_aton forms, no leading zeros, no zone), but it
  // wants a C string: a NUL inside would hide the rest.
  char buffer[INET6_ADDRSTRLEN];
  if (text.empty() || text.size() >= sizeof buffer || text.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  std::memcpy(buffer, text.data(), text.size());
  buffer[text.size()] = '\0';
  std::array<std::uint8_t, 16> bytes{};
  if (text.find(':') != std::string_view::npos) {
    if (::inet_pton(AF_INET6, buffer, bytes.data()) != 1) return std::nullopt;
    return v6(bytes);
  }
  std::uint32_t network_order = 0;
  if (::inet_pton(AF_INET, buffer, &network_order) != 1) return std::nullopt;
  return v4(ntohl(network_order));
}

IpAddress IpAddress::v4(std::uint32_t host_order) {
  IpAddress ip;
  for (std::size_t i = 0; i < 4; ++i) {
    ip.bytes_[i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
  }
  return ip;
}

IpAddress IpAddress::v6(const std::array<std::uint8_t, 16>& bytes) {
  IpAddress ip;
  ip.bytes_ = bytes;
  ip.is_v4_ = false;
  return ip;
}

std::uint32_t IpAddress::v4_value() const {
  return static_cast<std::uint32_t>(bytes_[0]) << 24 | static_cast<std::uint32_t>(bytes_[1]) << 16 |
         static_cast<std::uint32_t>(bytes_[2]) << 8 | bytes_[3];
}

std::string IpAddress::text() const {
  if (is_v4_) {  // without inet_ntop(), which prints with a format
    std::string out;
    for (std::size_t i = 0; i < 4; ++i) {
      if (i > 0) out.push_back('.');
      append_decimal(out, bytes_[i]);
    }
    return out;
  }
  char buffer[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(AF_INET6, bytes_.data(), buffer, sizeof buffer);
  return buffer;
}

Result<Network> Network::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto ip = IpAddress::parse(text.substr(0, slash));
  if (!ip) return fail(Code::kBadSyntax, Fault::kProxy, "not an address or network");
  if (slash == std::string_view::npos) return Network{*ip, bits(*ip)};
  const auto prefix = plain_number(text.substr(slash + 1), static_cast<std::uint64_t>(bits(*ip)));
  if (!prefix) return fail(Code::kBadSyntax, Fault::kProxy, "bad prefix length");
  const int length = static_cast<int>(*prefix);
  return Network{masked(*ip, length), length};
}

bool Network::contains(const IpAddress& ip) const {
  return ip.is_v4() == address.is_v4() && masked(ip, prefix) == masked(address, prefix);
}

std::string Network::text() const { return address.text() + "/" + std::to_string(prefix); }

Result<SocketAddress> SocketAddress::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return fail(Code::kBadSyntax, Fault::kProxy, "the port is missing");
  }
  std::string_view host = text.substr(0, colon);
  const bool is_bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (is_bracketed) host = host.substr(1, host.size() - 2);
  const auto ip = IpAddress::parse(host);
  if (!ip || ip->is_v4() == is_bracketed) {
    return fail(Code::kBadSyntax, Fault::kProxy, "not an address with a port");
  }
  const auto port = plain_number(text.substr(colon + 1), 65535);
  if (!port) return fail(Code::kBadPort, Fault::kProxy);
  return SocketAddress{*ip, static_cast<std::uint16_t>(*port)};
}

std::string SocketAddress::text() const {
  std::string out = ip.is_v4() ? ip.text() : "[" + ip.text() + "]";
  out.push_back(':');
  append_decimal(out, port);
  return out;
}

}  // namespace leash::base
