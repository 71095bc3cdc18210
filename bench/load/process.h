// CPU time and memory of other processes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace bench {

struct Usage {
  double cpu_seconds = 0;
  std::uint64_t resident_kib = 0;
};

// Of the processes and of all that hang below them now. What has ended is not counted.
Usage usage_of(const std::vector<pid_t>& roots);

}  // namespace bench
