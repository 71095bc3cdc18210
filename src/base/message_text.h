// Parts of messages that people read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace leash::base {

// For a message, which may end up on a terminal: in quotes, short, without control bytes.
[[nodiscard]] std::string quoted(std::string_view text);
// "1 line", "2 lines".
[[nodiscard]] std::string counted(std::uint64_t count, const char* noun);

}  // namespace leash::base
