// Lines of the log as entries of an HTTP archive (HAR 1.2).
#pragma once

#include <string>
#include <string_view>

namespace leash::console {

[[nodiscard]] std::string har_head();
// "" for a line that is no request with an outcome.
[[nodiscard]] std::string har_entry(std::string_view line);
[[nodiscard]] std::string har_tail();

}  // namespace leash::console
