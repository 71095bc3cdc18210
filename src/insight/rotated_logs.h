// The files that rotation made of a log, in the order of their events.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace leash::insight {

// Files beside `log` named as rotation names them (LOG.1, LOG-20260131, leash's own
// LOG.seq000000001234, also packed), the oldest first: by the seq of their first event, or by its
// time where not all have one. Files without an event are left out, and of two that begin with the
// same line (a file, and what is being packed of it) the second by name. Errors: io.
[[nodiscard]] base::Result<std::vector<std::string>> files_before(const std::string& log);

}  // namespace leash::insight
