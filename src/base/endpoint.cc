#include "base/endpoint.h"

#include <algorithm>

namespace leash::base {
namespace {

constexpr std::string_view kUnix = "unix:";
constexpr std::size_t kMostPathBytes = 107;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

}  // namespace

Result<Endpoint> Endpoint::parse(std::string_view text) {
  if (!text.starts_with(kUnix)) {
    const auto address = SocketAddress::parse(text);
    if (!address) return tl::unexpected(address.error());
    return Endpoint{*address, {}};
  }
  const std::string_view path = text.substr(kUnix.size());
  if (!path.starts_with('/') || path.size() > kMostPathBytes) {
    return fail(Code::kBadSyntax, Fault::kProxy,
                "the path must be absolute and at most 107 bytes long");
  }
  if (std::any_of(path.begin(), path.end(), is_control)) {
    return fail(Code::kBadSyntax, Fault::kProxy, "the path holds control characters");
  }
  return Endpoint{{}, std::string(path)};
}

std::string Endpoint::text() const { return is_unix() ? std::string(kUnix) + path : tcp.text(); }

}  // namespace leash::base
