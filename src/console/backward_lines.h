// The lines of a file from its end to its beginning.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace leash::console {

// A line without its end; false ends the reading. A last line without an end is left out: somebody
// is still writing it. Lines of more than 64 MiB end the reading. Errors: io; a file that is not
// there has no lines.
[[nodiscard]] base::Result<void> read_backwards(
    const std::string& path, const std::function<bool(std::string_view)>& on_line);

}  // namespace leash::console
