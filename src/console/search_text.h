// The form in which texts are searched: what an operator types finds it whatever its case.
#pragma once

#include <string>
#include <string_view>

namespace leash::console {

// ASCII letters in lower case; bytes that are not UTF-8 and controls become '?'. The same for what
// is searched and what is searched for, so that it is found.
[[nodiscard]] std::string search_form(std::string_view text);

}  // namespace leash::console
