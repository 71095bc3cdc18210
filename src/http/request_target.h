// The four forms of a request target (RFC 9112 s. 3.2).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/authority.h"
#include "http/message.h"

namespace leash::http {

struct RequestTarget {
  TargetForm form = TargetForm::kOrigin;
  std::string scheme;                        // absolute-form only, lower-case
  std::optional<base::Authority> authority;  // absolute-form and CONNECT
  std::string path;                          // "" for CONNECT
};

// CONNECT takes authority-form and nothing else does; "*" is for OPTIONS alone; absolute-form is
// http:// or https://. An empty path becomes "/", or "*" for OPTIONS without query (s. 3.2.4).
// Errors: bad_target (control bytes, blanks, bytes above 0x7e, a fragment, another form or scheme)
// and those of base::parse_connect_target and base::parse_authority. Fault: client.
[[nodiscard]] base::Result<RequestTarget> parse_request_target(std::string_view method,
                                                               std::string_view text);

// 80 for "http", else 443.
[[nodiscard]] std::uint16_t default_port(std::string_view scheme);

}  // namespace leash::http
