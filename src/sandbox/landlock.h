// What this process may still do with files, by Landlock (landlock(7)): the kernel's own calls, so
// that no header of the build machine decides what the kernel of the day can do.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace leash::sandbox {

// What is granted below a folder, or on a file. Bits.
using FileRights = std::uint64_t;
inline constexpr FileRights kReadFiles = 1;    // open to read, list folders
inline constexpr FileRights kWriteFiles = 2;   // open to write, truncate
inline constexpr FileRights kChangeNames = 4;  // make, rename and remove ordinary files
inline constexpr FileRights kRemoveNames = 8;  // remove files and sockets
inline constexpr FileRights kExecute = 16;

struct Grant {
  std::string path;  // what it leads to now: a folder that is replaced later is another one
  FileRights rights = 0;
};

// The version of the kernel's Landlock; 0 where it has none or it is switched off.
[[nodiscard]] int landlock_abi();

enum class Reach {
  kEverywhere,  // signals, and abstract unix sockets of others
  kOwnProcess,  // neither, from version 6 on
};

// For this thread and those that it makes from now on, for good: nothing but the grants with files,
// no listening on TCP that is not bound yet (from version 4 on), no more privileges by exec.
// Returns the paths that do not exist, which get nothing. Errors: io (the kernel has no Landlock,
// or refuses).
[[nodiscard]] base::Result<std::vector<std::string>> restrict_files(std::span<const Grant> grants,
                                                                    Reach reach);

}  // namespace leash::sandbox
