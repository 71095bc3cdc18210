// The operational log (stderr), apart from the audit log. Secrets never enter it.
#pragma once

#include <spdlog/spdlog.h>

namespace leash::base {

// One line a message on stderr: "2026-01-31T12:00:00.123Z warning text". Called once by each main.
void init_log();

}  // namespace leash::base
