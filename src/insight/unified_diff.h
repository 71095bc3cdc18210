// A change of a text as patch takes it.
#pragma once

#include <string>
#include <string_view>

namespace leash::insight {

// Unified diff with three lines of context, one hunk from the first line that differs to the last;
// "" where nothing does. `old_name` and `new_name` come behind "--- " and "+++ ".
[[nodiscard]] std::string unified_diff(std::string_view old_text, std::string_view new_text,
                                       const std::string& old_name, const std::string& new_name);

}  // namespace leash::insight
