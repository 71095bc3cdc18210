#include "process.h"

#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace bench {
namespace {

void add_descendants(pid_t pid, std::vector<pid_t>& out) {
  out.push_back(pid);
  std::error_code ignored;
  const std::filesystem::path tasks = "/proc/" + std::to_string(pid) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks, ignored)) {
    std::ifstream children(task.path() / "children");
    for (pid_t child = 0; children >> child;) add_descendants(child, out);
  }
}

// The process' own clock counts in nanoseconds, /proc in ticks of ten milliseconds.
double cpu_seconds_of(pid_t pid) {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

std::uint64_t resident_kib_of(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with("VmRSS:")) continue;
    std::istringstream value(line.substr(6));
    std::uint64_t kib = 0;
    value >> kib;
    return kib;
  }
  return 0;
}

}  // namespace

Usage usage_of(const std::vector<pid_t>& roots) {
  std::vector<pid_t> all;
  for (const pid_t root : roots) add_descendants(root, all);
  Usage out;
  for (const pid_t pid : all) {
    out.cpu_seconds += cpu_seconds_of(pid);
    out.resident_kib += resident_kib_of(pid);
  }
  return out;
}

}  // namespace bench
