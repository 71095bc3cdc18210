#include "sandbox/process.h"

#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>

#include "base/text.h"

namespace leash::sandbox {

void forbid_memory_dumps() {
#ifndef LEASH_SANITIZED
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
    spdlog::warn("core dumps cannot be forbidden: {}", base::errno_text(errno));
#endif
}

}  // namespace leash::sandbox
