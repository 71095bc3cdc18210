// Which files a command on the audit log reads, and in which order.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "ctl/commands.h"

namespace leash::ctl {

// The files named; else the log, with the files that rotation made of it before it where they are
// asked for, the oldest first. Errors: bad_config (leash.yaml), io (the log's directory cannot be
// read).
[[nodiscard]] base::Result<std::vector<std::string>> log_paths(const Context& context,
                                                               const LogChoice& logs);

}  // namespace leash::ctl
