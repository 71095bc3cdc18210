#include "http/request_target.h"

#include <utility>

#include "base/text.h"
#include "http/syntax.h"

namespace leash::http {
namespace {

tl::unexpected<base::Error> bad_target(std::string detail) {
  return base::fail(base::Code::kBadTarget, base::Fault::kClient, std::move(detail));
}

// The scheme that `text` begins with, lower-case; "" where it is not one that we carry.
std::string_view scheme_of(std::string_view text) {
  for (const std::string_view scheme : {"http", "https"}) {
    const std::string_view rest = text.substr(std::min(scheme.size(), text.size()));
    if (rest.starts_with("://") &&
        base::equals_ignoring_case(text.substr(0, scheme.size()), scheme)) {
      return scheme;
    }
  }
  return {};
}

base::Result<RequestTarget> parse_absolute(std::string_view method, std::string_view scheme,
                                           std::string_view rest) {
  const auto end = std::min(rest.find_first_of("/?"), rest.size());
  auto authority = base::parse_authority(rest.substr(0, end), default_port(scheme));
  if (!authority) return tl::unexpected(std::move(authority.error()));
  rest.remove_prefix(end);
  std::string path(rest);
  if (rest.empty()) {
    path = method == "OPTIONS" ? "*" : "/";
  } else if (rest.front() == '?') {
    path.insert(path.begin(), '/');
  }
  return RequestTarget{TargetForm::kAbsolute, std::string(scheme), std::move(*authority),
                       std::move(path)};
}

}  // namespace

base::Result<RequestTarget> parse_request_target(std::string_view method, std::string_view text) {
  if (method == "CONNECT") {
    auto authority = base::parse_connect_target(text);
    if (!authority) return tl::unexpected(std::move(authority.error()));
    return RequestTarget{TargetForm::kAuthority, {}, std::move(*authority), {}};
  }
  if (!consists_of(kTargetBytes, text)) return bad_target("byte outside VCHAR");
  // No client sends a fragment; what an origin makes of "#" is anyone's guess.
  if (text.find('#') != std::string_view::npos) return bad_target("fragment");
  if (text.starts_with('/')) return RequestTarget{TargetForm::kOrigin, {}, {}, std::string(text)};
  if (text == "*") {
    if (method != "OPTIONS") return bad_target("asterisk");
    return RequestTarget{TargetForm::kAsterisk, {}, {}, "*"};
  }
  const std::string_view scheme = scheme_of(text);
  if (scheme.empty()) return bad_target("neither a path nor an http URL");
  return parse_absolute(method, scheme, text.substr(scheme.size() + 3));
}

std::uint16_t default_port(std::string_view scheme) { return scheme == "http" ? 80 : 443; }

}  // namespace leash::http
