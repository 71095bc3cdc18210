// What the proxy may still do once it has started: the files, by Landlock, and the system calls, by
// seccomp, that it serves with.
#pragma once

#include "config/settings.h"
#include "sandbox/file_needs.h"

namespace leash::control {

using sandbox::Confinement;

// sandbox::confine for the proxy.
[[nodiscard]] Confinement confine(const config::Settings& settings);

// What `confine` grants; apart, for tests.
[[nodiscard]] sandbox::FileNeeds file_needs(const config::Settings& settings);

}  // namespace leash::control
