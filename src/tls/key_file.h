// Key files on disk: read only where nobody else can, put in place whole.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace leash::tls {

inline constexpr std::size_t kMaxKeyFileBytes = 256 * 1024;

// nullopt where there is no such file. Refused with bad_key_file: a symbolic link or anything but a
// regular file, a mode wider than 0600 (the text holds the `chmod` line), an owner that is neither
// this process nor root, more than kMaxKeyFileBytes. io for the rest. The caller wipes the text
// after use (wipe).
[[nodiscard]] base::Result<std::optional<std::string>> read_key_file(const std::string& path);
// The same for a file that is no secret: links followed, mode and owner not looked at.
[[nodiscard]] base::Result<std::optional<std::string>> read_public_file(const std::string& path);

// Overwrites a secret in a way that the compiler keeps.
void wipe(std::string& secret);

enum class Placed { kYes, kAlreadyThere };
// Writes a temporary file beside `path`, syncs it and moves it there; never replaces a file.
// Errors: io.
[[nodiscard]] base::Result<Placed> place_new_file(const std::string& path, mode_t mode,
                                                  std::string_view text);
// mkdir -p; what it makes is 0700 for `dir` and 0755 above. Errors: io.
[[nodiscard]] base::Result<void> ensure_private_directory(const std::string& dir);

}  // namespace leash::tls
