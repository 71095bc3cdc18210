// Field lines (RFC 9112 s. 5) into Fields, for heads and trailers alike.
#pragma once

#include <string_view>

#include "base/error.h"
#include "http/message.h"

namespace leash::http {

// `section` is lines, each with its CR LF, the last one empty. Names are tokens, directly followed
// by the colon; values lose the blanks around them and hold no control byte but HTAB. Errors:
// obs_fold, bad_field_name, bad_field_value, bad_line_end (a CR inside a line), too_many_fields
// (more than `max_fields`).
[[nodiscard]] base::Result<Fields> parse_field_lines(std::string_view section,
                                                     std::size_t max_fields, base::Fault fault);

// Takes the first line off `section`, without its CR LF. `section` must hold one.
[[nodiscard]] std::string_view take_line(std::string_view& section);

}  // namespace leash::http
