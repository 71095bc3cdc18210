// The head of a request, whole, into a RequestHead.
#pragma once

#include <string_view>

#include "base/error.h"
#include "http/message.h"

namespace leash::http {

// `head` is request line and fields, each with its CR LF, up to and with the empty line. What it
// must look like is said at RequestParser. Errors: bad_request_line, unsupported_method (more than
// 32 bytes), bad_version, host_missing, host_duplicate, host_mismatch, and those of
// parse_request_target, parse_field_lines, base::parse_authority, request_framing. Fault: client.
[[nodiscard]] base::Result<RequestHead> parse_request_head(std::string_view head,
                                                           const Limits& limits);

}  // namespace leash::http
