#include "base/authority.h"

#include <idn2.h>

#include <algorithm>
#include <memory>

#include "base/free_with.h"
#include "base/text.h"

namespace leash::base {
namespace {

constexpr std::size_t kMaxHost = 253;
constexpr std::size_t kMaxLabel = 63;

using IdnText = std::unique_ptr<char, FreeWith<idn2_free>>;

tl::unexpected<Error> refuse(Code code, std::string detail = {}) {
  return fail(code, Fault::kClient, std::move(detail));
}

bool is_label_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool is_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// What inet_aton, and with it many a client, would read as a number: "127", "0177", "0x7f", "0x".
bool is_number(std::string_view label) {
  if (is_digits(label)) return true;
  return label.starts_with("0x") &&
         label.substr(2).find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// U-labels to A-labels (RFC 5891 s. 4) with the mapping of UTS 46; nullopt where that fails.
std::optional<std::string> to_a_labels(const std::string& text) {
  std::uint8_t* raw = nullptr;
  const auto* in = reinterpret_cast<const std::uint8_t*>(text.c_str());
  const int rc = idn2_lookup_u8(in, &raw, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
  const IdnText out(reinterpret_cast<char*>(raw));
  if (rc != IDN2_OK || !out) return std::nullopt;
  return std::string(out.get());
}

// An A-label must be the very text that its U-label encodes to (RFC 5890 s. 2.3.2.1), or two
// spellings name one host.
bool is_a_label(std::string_view label) {
  char* raw = nullptr;
  const int rc = idn2_to_unicode_8z8z(std::string(label).c_str(), &raw, 0);
  const IdnText unicode(raw);
  if (rc != IDN2_OK || !unicode) return false;
  const std::string text(unicode.get());
  return text != label && to_a_labels(text) == label;
}

std::optional<Error> check_label(std::string_view label) {
  if (label.empty()) return Error{Code::kBadHost, Fault::kClient, "empty label"};
  if (label.size() > kMaxLabel) return Error{Code::kHostTooLong, Fault::kClient, "label"};
  if (label.starts_with("xn--") && !is_a_label(label)) {
    return Error{Code::kBadHost, Fault::kClient, "broken A-label"};
  }
  return std::nullopt;
}

// Bytes that no authority may hold, wherever they stand.
std::optional<Error> check_bytes(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) > 0x7f) return Error{Code::kNotAscii, Fault::kClient, {}};
    if (c == '@') return Error{Code::kUserinfo, Fault::kClient, {}};
  }
  return std::nullopt;
}

// ::ffff:0:0/96 (RFC 4291 s. 2.5.5.2) is another spelling of IPv4: the kernel connects to the IPv4
// address, so a rule for one must not miss the other.
IpAddress unmapped(const IpAddress& ip) {
  if (ip.is_v4()) return ip;
  const auto& b = ip.bytes();
  const bool has_zeros =
      std::all_of(b.begin(), b.begin() + 10, [](auto byte) { return byte == 0; });
  if (!has_zeros || b[10] != 0xff || b[11] != 0xff) return ip;
  return IpAddress::v4(std::uint32_t{b[12]} << 24 | std::uint32_t{b[13]} << 16 |
                       std::uint32_t{b[14]} << 8 | b[15]);
}

// Where the port's colon is: the last one, unless it is inside the brackets of an IPv6 literal.
std::size_t port_colon(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || !text.starts_with('[')) return colon;
  const auto bracket = text.find(']');
  if (bracket == std::string_view::npos || bracket > colon) return std::string_view::npos;
  return colon;
}

Result<std::uint16_t> parse_port(std::string_view text) {
  if (text.empty() || text.front() == '0') return refuse(Code::kBadPort);
  const auto port = parse_decimal(text, 65535);
  if (!port) return refuse(Code::kBadPort);
  return static_cast<std::uint16_t>(*port);
}

Result<Authority> parse_host_and_port(std::string_view host, std::string_view port) {
  auto parsed_host = Host::parse(host);
  if (!parsed_host) return tl::unexpected(std::move(parsed_host.error()));
  auto parsed_port = parse_port(port);
  if (!parsed_port) return tl::unexpected(std::move(parsed_port.error()));
  return Authority{std::move(*parsed_host), *parsed_port};
}

}  // namespace

Result<Host> Host::parse(std::string_view text) {
  if (auto error = check_bytes(text)) return tl::unexpected(std::move(*error));
  if (text.starts_with('[')) {
    if (!text.ends_with(']')) return refuse(Code::kBadHost, "bracket");
    const auto ip = IpAddress::parse(text.substr(1, text.size() - 2));
    if (!ip || ip->is_v4()) return refuse(Code::kBadHost, "brackets without IPv6");
    return from_ip(*ip);
  }
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty()) return refuse(Code::kBadHost, "empty");
  if (text.size() > kMaxHost) return refuse(Code::kHostTooLong);

  Host host;
  host.text_ = lower(text);
  std::string_view rest = host.text_;
  for (;;) {
    const auto end = std::min(rest.find('.'), rest.size());
    const std::string_view label = rest.substr(0, end);
    for (const char c : label) {
      if (!is_label_char(c)) return refuse(Code::kBadHost, "byte outside the alphabet");
    }
    if (auto error = check_label(label)) return tl::unexpected(std::move(*error));
    if (end == rest.size()) break;
    rest.remove_prefix(end + 1);
  }
  if (is_number(rest)) {
    host.ip_ = IpAddress::parse(host.text_);
    if (!host.ip_) return refuse(Code::kBadHost, "neither a name nor a dotted quad");
  }
  return host;
}

Result<Host> Host::parse_lenient(std::string_view text) {
  text = trim(text);
  if (const auto ip = IpAddress::parse(text)) return from_ip(*ip);
  auto host = parse(text);
  if (!host && host.error().code == Code::kNotAscii && is_utf8(text) &&
      text.find('\0') == std::string_view::npos) {
    const auto ascii = to_a_labels(std::string(text));
    if (!ascii) return fail(Code::kBadHost, Fault::kProxy, "not an internationalised name");
    host = parse(*ascii);
  }
  if (!host) host.error().fault = Fault::kProxy;
  return host;
}

Host Host::from_ip(const IpAddress& ip) {
  Host host;
  host.ip_ = unmapped(ip);
  host.text_ = host.ip_->text();
  return host;
}

std::string Host::bracketed() const { return ip_ && !ip_->is_v4() ? "[" + text_ + "]" : text_; }

std::string Authority::text() const { return host.bracketed() + ":" + std::to_string(port); }

std::string Authority::text_without(std::uint16_t default_port) const {
  return port == default_port ? host.bracketed() : text();
}

Result<Authority> parse_connect_target(std::string_view text) {
  if (auto error = check_bytes(text)) return tl::unexpected(std::move(*error));
  const auto colon = port_colon(text);
  if (colon == std::string_view::npos) return refuse(Code::kBadSyntax, "the port is missing");
  return parse_host_and_port(text.substr(0, colon), text.substr(colon + 1));
}

Result<Authority> parse_authority(std::string_view text, std::uint16_t default_port) {
  if (auto error = check_bytes(text)) return tl::unexpected(std::move(*error));
  const auto colon = port_colon(text);
  if (colon != std::string_view::npos) {
    return parse_host_and_port(text.substr(0, colon), text.substr(colon + 1));
  }
  auto host = Host::parse(text);
  if (!host) return tl::unexpected(std::move(host.error()));
  return Authority{std::move(*host), default_port};
}

}  // namespace leash::base
