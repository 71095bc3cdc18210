#include "http/trailers.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace leash::http {
namespace {

constexpr std::array<std::string_view, 44> kForbidden = {
    // framing and the connection
    "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade",
    "http2-settings",
    // routing
    "host", "via", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
    "max-forwards", "alt-svc", "location",
    // authentication and state
    "authorization", "www-authenticate", "authentication-info", "cookie", "set-cookie",
    // request modifiers and response control
    "expect", "cache-control", "pragma", "range", "if-match", "if-none-match", "if-modified-since",
    "if-unmodified-since", "if-range", "age", "expires", "date", "retry-after", "vary", "warning",
    "accept-encoding", "origin",
    // how to read the content
    "content-encoding", "content-type", "content-range", "content-location", "content-disposition"};

}  // namespace

bool is_allowed_in_trailer(std::string_view name) {
  const std::string lower = base::lower(name);
  return !lower.starts_with("proxy-") &&
         std::find(kForbidden.begin(), kForbidden.end(), lower) == kForbidden.end();
}

void keep_allowed_trailers(Fields& trailers) {
  std::erase_if(trailers.all(),
                [](const Field& field) { return !is_allowed_in_trailer(field.name); });
}

}  // namespace leash::http
