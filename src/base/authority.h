// Host names and authorities in the one canonical form that everything decides on.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/ip_address.h"

namespace leash::base {

// A DNS name or an IP literal. DNS names are lower-case A-labels without a trailing dot, labels of
// 1 to 63 bytes from [a-z0-9_-], at most 253 bytes; IPv6 has no brackets, mapped IPv4 is IPv4.
class Host {
 public:
  Host() = default;
  // What a stranger sent. One trailing dot is dropped; brackets only around a valid IPv6 literal,
  // and an IPv6 literal only with them. Refused: bytes above 0x7f (not_ascii), '@' (userinfo),
  // anything outside the alphabet, zone ids, a last label that is numeric or hexadecimal unless the
  // whole is a strict dotted quad (RFC 3986 s. 3.2.2; the inet_aton spellings), broken A-labels
  // (bad_host), host_too_long.
  [[nodiscard]] static Result<Host> parse(std::string_view text);
  // What an operator wrote: also U-labels (IDNA 2008 by libidn2), IPv6 with or without brackets,
  // blanks around.
  [[nodiscard]] static Result<Host> parse_lenient(std::string_view text);
  [[nodiscard]] static Host from_ip(const IpAddress& ip);

  [[nodiscard]] bool is_ip() const { return ip_.has_value(); }
  [[nodiscard]] const std::optional<IpAddress>& ip() const { return ip_; }
  // Without brackets: what the audit log, policy and certificates use.
  [[nodiscard]] const std::string& text() const { return text_; }
  // With brackets for IPv6: what goes into an authority or a URL.
  [[nodiscard]] std::string bracketed() const;
  [[nodiscard]] bool empty() const { return text_.empty(); }

  bool operator==(const Host& other) const { return text_ == other.text_; }
  std::strong_ordering operator<=>(const Host& other) const { return text_ <=> other.text_; }

 private:
  std::string text_;
  std::optional<IpAddress> ip_;
};

struct Authority {
  Host host;
  std::uint16_t port = 0;

  // "host:port", IPv6 in brackets, the port always.
  [[nodiscard]] std::string text() const;
  // The port left out where it is `default_port`: what Host and :authority carry.
  [[nodiscard]] std::string text_without(std::uint16_t default_port) const;
  auto operator<=>(const Authority&) const = default;
};

// The target of CONNECT (RFC 9110 s. 9.3.6, RFC 9112 s. 3.2.3): host ":" port, the port required, 1
// to 65535, no sign, no leading zero. Errors: bad_syntax, bad_port, and those of Host::parse.
// Fault: client.
[[nodiscard]] Result<Authority> parse_connect_target(std::string_view text);

// uri-host [":" port] as in Host and in absolute-form. An empty port ("a:") is bad_port.
[[nodiscard]] Result<Authority> parse_authority(std::string_view text, std::uint16_t default_port);

}  // namespace leash::base
