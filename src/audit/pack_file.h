// Packs a file in its place.
#pragma once

#include <atomic>
#include <string>

#include "base/error.h"

namespace leash::audit {

// Replaces `path` by its zstd frame (RFC 8878, with checksum) and then gives it the name
// `path`.zst, so that at each moment, a crash included, there is exactly one file with the lines:
// the plain one, the packed one under the plain name (readers go by the first bytes), or the packed
// one under its own. The packed bytes are on the disk before they take the place of the plain ones.
// Mode, owner (as far as that is allowed) and time stay. Works in a file `.NAME.pack` beside it. A
// file that is packed already only gets its name. Where `stop` becomes true it gives up; false
// then. Errors: io; the plain file is then as it was.
[[nodiscard]] base::Result<bool> pack_file(const std::string& path, const std::atomic<bool>& stop);

// Removes what pack_file left in the folder of `log` when its process was killed.
void remove_pack_leftovers(const std::string& log);

}  // namespace leash::audit
