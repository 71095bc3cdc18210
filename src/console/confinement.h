// What the console may still do once it has started: the files and the system calls that it serves
// with. The CA's key is not among them.
#pragma once

#include "console/settings.h"
#include "sandbox/file_needs.h"

namespace leash::console {

// sandbox::confine for the console: before it has other threads, behind all that it opens once.
[[nodiscard]] sandbox::Confinement confine(const Settings& settings);

}  // namespace leash::console
