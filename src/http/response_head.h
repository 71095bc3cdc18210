// The head of a response, whole, into a ResponseHead.
#pragma once

#include <string_view>

#include "base/error.h"
#include "http/body_framing.h"
#include "http/message.h"

namespace leash::http {

// `head` is status line and fields, each with its CR LF, up to and with the empty line. The reason
// may be empty, also without the space before it. Errors: bad_status_line, bad_version, and those
// of parse_field_lines and response_framing. Fault: origin.
[[nodiscard]] base::Result<ResponseHead> parse_response_head(std::string_view head, Answers answers,
                                                             const Limits& limits);

}  // namespace leash::http
