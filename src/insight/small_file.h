// Reads a whole small file that may not be what it should be.
#pragma once

#include <cstddef>
#include <string>

#include "base/error.h"

namespace leash::insight {

// A regular file of at most `max_bytes`; never waits on a FIFO. Errors: io.
[[nodiscard]] base::Result<std::string> read_small_file(const std::string& path,
                                                        std::size_t max_bytes);

}  // namespace leash::insight
