// Tells when an entry of the policy has expired while what it allowed is still open.
#pragma once

#include <chrono>
#include <memory>

#include "policy/snapshot.h"

namespace leash::policy {

class ExpiryClock {
 public:
  using Time = std::chrono::system_clock::time_point;
  explicit ExpiryClock(Time now) : last_(now) {}

  // Whether an entry of `snapshot` has expired since the last look (the first time: since the
  // construction). Also true after the wall clock was set past an expiry. Walks the entries when
  // the snapshot is another one, when it says true and when the wall clock was set back; else it
  // costs a comparison. Not thread-safe.
  [[nodiscard]] bool has_struck(const std::shared_ptr<const Snapshot>& snapshot, Time now);

 private:
  std::shared_ptr<const Snapshot> snapshot_;  // kept, so that no other one takes its address
  Time last_;
  Time next_ = Time::max();  // the first expiry in snapshot_ after last_
};

}  // namespace leash::policy
