// Which system calls leash's processes may still make, by seccomp (libseccomp). A call that is not
// among them fails with EPERM (exec, ptrace, namespaces and their like) or ENOSYS (the rest, so
// that the C library falls back to an older one).
#pragma once

#include "base/error.h"

namespace leash::sandbox {

enum class Profile {
  kProxy,   // sockets, files, threads; no exec, no fork, no memory that is both written and run
  kSigner,  // messages on sockets that it has, memory, time, random bytes
  kKeeper,  // starts the signer: all but sockets, and what no part of leash does
};

// Whether the proxy may make sockets for paths, which lead to whoever listens there, the machine's
// own services included: only where its log goes to such a one.
enum class PathSockets { kNoMore, kAny };

// For this thread and those (and the processes) that it makes from now on, for good. With a
// sanitizer, whose runtime does most of what is forbidden, the proxy and the signer get the
// keeper's. Errors: io.
[[nodiscard]] base::Result<void> restrict_system_calls(
    Profile profile, PathSockets path_sockets = PathSockets::kNoMore);

}  // namespace leash::sandbox
