// The one escaper between what files say and a page.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace leash::ctl {

// Text for HTML content and for attribute values in double quotes: first as printable() has it (no
// controls, nothing that reorders or hides, valid UTF-8), at most `max` code points of it, then
// & < > " ' as character references. What comes out can neither open a tag nor end an attribute.
[[nodiscard]] std::string html_text(std::string_view bytes, std::size_t max = 300);

}  // namespace leash::ctl
