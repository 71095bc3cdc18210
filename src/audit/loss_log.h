// Tells on stderr that a sink leaves lines out, not more often than every ten seconds.
#pragma once

#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdint>
#include <string>

namespace leash::audit {

class LossLog {
 public:
  explicit LossLog(std::string what) : what_(std::move(what)) {}

  void add(std::uint64_t lines) {
    constexpr std::chrono::seconds kEvery{10};
    untold_ += lines;
    const auto now = std::chrono::steady_clock::now();
    if (untold_ == 0 || now < next_) return;
    spdlog::warn("{}: {} audit lines left out (they are in the file)", what_, untold_);
    untold_ = 0;
    next_ = now + kEvery;
  }

 private:
  std::string what_;
  std::uint64_t untold_ = 0;
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace leash::audit
