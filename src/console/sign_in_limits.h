// Who has tried too many wrong tokens.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <unordered_map>

namespace leash::console {

// Five wrong tries lock an address (of IPv6 its /64) for a minute. Memory is bounded: what was
// wrong longest ago is forgotten first.
class SignInLimits {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr int kTries = 5;
  static constexpr std::chrono::seconds kLock{60};
  static constexpr std::size_t kMostAddresses = 10'000;

  // How long `address` still has to wait; 0: it may try.
  [[nodiscard]] std::chrono::seconds wait_of(const std::string& address, Time now) const;
  void wrong(const std::string& address, Time now);
  void right(const std::string& address);

 private:
  struct Tries {
    int count = 0;
    Time last;
  };
  void make_room(Time now);
  std::unordered_map<std::string, Tries> tries_;  // by client_key()
};

}  // namespace leash::console
