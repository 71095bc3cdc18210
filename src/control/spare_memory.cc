#include "control/spare_memory.h"

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace leash::control {
namespace {

// What the allocator has given out, in all arenas. It walks their lists.
std::ptrdiff_t in_use() {
  const auto heap = ::mallinfo2();
  return static_cast<std::ptrdiff_t>(heap.uordblks + heap.hblkhd);
}

}  // namespace

SpareMemory::SpareMemory(net::Loop& loop, std::chrono::milliseconds interval)
    : interval_(interval),
      statm_(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC)),
      least_resident_(resident()),
      least_spare_(least_resident_ - in_use()),
      timer_(loop, [this] { look(); }) {
  if (least_resident_ > 0) timer_.start(interval_);
}

void SpareMemory::look() {
  timer_.start(interval_);
  const std::ptrdiff_t now = resident();
  least_resident_ = std::min(least_resident_, now);
  if (now < least_resident_ + kWorthIt) return;  // before in_use()
  const std::ptrdiff_t left = now - in_use();
  least_spare_ = std::min(least_spare_, left);
  if (left < least_spare_ + kWorthIt) return;
  ::malloc_trim(0);
  least_spare_ = resident() - in_use();
}

std::ptrdiff_t SpareMemory::resident() const {
  std::array<char, 128> text{};  // proc(5): pages; size, resident, shared, ...
  if (::pread(statm_.get(), text.data(), text.size() - 1, 0) <= 0) return 0;
  std::ptrdiff_t all = 0;
  std::ptrdiff_t of_files = 0;
  if (std::sscanf(text.data(), "%*u %td %td", &all, &of_files) != 2) return 0;
  return (all - of_files) * ::sysconf(_SC_PAGESIZE);
}

}  // namespace leash::control
