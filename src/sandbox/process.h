// What each of leash's processes gives up at its very start.
#pragma once

namespace leash::sandbox {

// Keys are in memory: it shall not land in a core file, nor can another process of this user attach
// and read it. Not with sanitizers, whose leak check has to attach.
void forbid_memory_dumps();

}  // namespace leash::sandbox
