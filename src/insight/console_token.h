// The tokens that people sign in to the console with: where they are kept, and how they are made.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace leash::insight {

enum class ConsoleRole { kViewer, kOperator };
[[nodiscard]] std::string_view word(ConsoleRole role);  // "viewer", "operator"

inline constexpr const char* kConsoleStateDir = "/var/lib/leash/console";

// `dir`/ROLE.token
[[nodiscard]] std::string console_token_path(const std::string& dir, ConsoleRole role);
// The token in the file, 48 hex digits. Errors: io where there is none yet, bad_key_file where
// somebody else could have read or written it (the text holds the line that mends it), or where it
// is shorter than 16 characters.
[[nodiscard]] base::Result<std::string> read_console_token(const std::string& dir,
                                                           ConsoleRole role);
// The same; makes `dir` (0700) and the file (0600) where there is none.
[[nodiscard]] base::Result<std::string> open_console_token(const std::string& dir,
                                                           ConsoleRole role);

}  // namespace leash::insight
