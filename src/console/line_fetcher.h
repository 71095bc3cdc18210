// The line of the log that a row of the index stands for.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "audit/log_reader.h"
#include "base/error.h"

namespace leash::console {

// For several lines, best asked for in the order of the file: of a packed file what lies before a
// line has to be unpacked.
class LineFetcher {
 public:
  explicit LineFetcher(std::chrono::steady_clock::time_point deadline) : deadline_(deadline) {}
  void set_deadline(std::chrono::steady_clock::time_point deadline) { deadline_ = deadline; }
  // Errors: io where the file has gone or is another now, timeout.
  [[nodiscard]] base::Result<std::string> fetch(const std::string& path, std::uint64_t position);

 private:
  [[nodiscard]] base::Result<std::string> fetch_packed(const std::string& path,
                                                       std::uint64_t position);
  std::chrono::steady_clock::time_point deadline_;
  std::string packed_path_;
  std::optional<audit::LogReader> packed_;
  std::uint64_t packed_position_ = 0;
};

}  // namespace leash::console
