#include "policy/expiry_clock.h"

#include <algorithm>

namespace leash::policy {
namespace {

using Time = ExpiryClock::Time;

// The first expiry after `after`; Time::max() where there is none. Both files count: an exact block
// entry that ends may uncover its parent, which blocks more.
Time next_expiry(const Snapshot& snapshot, Time after) {
  Time next = Time::max();
  for (const auto* map : {snapshot.enforce.get(), snapshot.blocklist.get()}) {
    if (map == nullptr) continue;
    for (const auto& [host, entries] : map->all()) {
      for (const Entry& entry : entries) {
        if (entry.expires > after) next = std::min(next, entry.expires);
      }
    }
  }
  return next;
}

}  // namespace

bool ExpiryClock::has_struck(const std::shared_ptr<const Snapshot>& snapshot, Time now) {
  // A clock that was set back makes entries exist again, and they will expire again.
  const Time since = std::min(last_, now);
  if (snapshot != snapshot_ || now < last_) {
    snapshot_ = snapshot;
    next_ = snapshot ? next_expiry(*snapshot, since) : Time::max();
  }
  last_ = now;
  if (next_ == Time::max() || now < next_) return false;
  next_ = next_expiry(*snapshot_, now);
  return true;
}

}  // namespace leash::policy
