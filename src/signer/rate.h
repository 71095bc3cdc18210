// How fast the signer signs: a bucket of tokens.
#pragma once

#include <algorithm>
#include <chrono>

namespace leash::signer {

// A burst fills a leaf cache; what goes on fills it anew every few seconds. Whoever has taken over
// the proxy gets no more either.
class Rate {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr double kBurst = 4096;
  static constexpr double kPerSecond = 1000;

  explicit Rate(Time now) : last_(now) {}

  // Zero: one may be signed now, and is counted. Else: how long until one may.
  std::chrono::milliseconds take(Time now) {
    tokens_ =
        std::min(kBurst, tokens_ + std::chrono::duration<double>(now - last_).count() * kPerSecond);
    last_ = now;
    if (tokens_ < 1) return std::chrono::milliseconds(1);
    tokens_ -= 1;
    return std::chrono::milliseconds(0);
  }

 private:
  double tokens_ = kBurst;
  Time last_;
};

}  // namespace leash::signer
