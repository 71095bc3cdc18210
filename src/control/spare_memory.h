// Gives memory that a burst has left behind back to the system.
#pragma once

#include <chrono>
#include <cstddef>

#include "base/fd.h"
#include "net/loop.h"

namespace leash::control {

// glibc keeps what is freed between blocks that live on, so one burst would make the process large
// for good. Looks every `interval`: where kWorthIt more is resident and not in use than at best
// since the last time, malloc_trim() runs, which holds each arena for some milliseconds (20 for 130
// MiB in one). What lies on top of a thread's arena stays. Needs /proc when it is made, not later;
// without it nothing happens.
class SpareMemory {
 public:
  static constexpr std::chrono::seconds kInterval{10};
  static constexpr std::ptrdiff_t kWorthIt = 16 * 1024 * 1024;  // bytes

  explicit SpareMemory(net::Loop& loop, std::chrono::milliseconds interval = kInterval);

 private:
  void look();
  // Bytes of the process that are in memory, those of files left out; 0 where nobody can tell.
  [[nodiscard]] std::ptrdiff_t resident() const;

  std::chrono::milliseconds interval_;
  base::Fd statm_;
  std::ptrdiff_t least_resident_;  // ever: below it there is nothing to be looked for
  // Resident and not given out by the allocator, since the last trim. Below zero where it gave out
  // what was never touched.
  std::ptrdiff_t least_spare_;
  net::Timer timer_;
};

}  // namespace leash::control
