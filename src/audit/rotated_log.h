// Where a log stood that was moved away while leash was not running.
#pragma once

#include <optional>
#include <string>

#include "audit/log_tail.h"

namespace leash::audit {

// The tail of the newest file beside `path` that is named as rotation names one (`path`.1,
// `path`-20260131, our own `path`.seq000000001234, also packed) and ends with chained lines; so
// that a restart after a rotation goes on with the chain instead of beginning a new one, which
// looks like a log that somebody has cut. nullopt: there is none.
[[nodiscard]] std::optional<LogTail> tail_of_rotated(const std::string& path);

}  // namespace leash::audit
