#include "console/sign_in_limits.h"

#include <algorithm>

#include "console/connection_guard.h"

namespace leash::console {

std::chrono::seconds SignInLimits::wait_of(const std::string& address, Time now) const {
  const auto found = tries_.find(client_key(address));
  if (found == tries_.end() || found->second.count < kTries) return std::chrono::seconds{0};
  const auto left = found->second.last + kLock - now;
  if (left <= Time::duration::zero()) return std::chrono::seconds{0};
  return std::chrono::ceil<std::chrono::seconds>(left);
}

void SignInLimits::wrong(const std::string& address, Time now) {
  make_room(now);
  Tries& tries = tries_[client_key(address)];
  // A minute without a wrong try begins anew, be it locked or not.
  if (tries.count > 0 && now - tries.last >= kLock) tries.count = 0;
  ++tries.count;
  tries.last = now;
}

void SignInLimits::right(const std::string& address) { tries_.erase(client_key(address)); }

void SignInLimits::make_room(Time now) {
  if (tries_.size() < kMostAddresses) return;
  std::erase_if(tries_, [now](const auto& each) { return now - each.second.last >= kLock; });
  while (tries_.size() >= kMostAddresses) {
    tries_.erase(std::min_element(tries_.begin(), tries_.end(), [](const auto& a, const auto& b) {
      return a.second.last < b.second.last;
    }));
  }
}

}  // namespace leash::console
