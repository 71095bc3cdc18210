// A bounded LRU of leaves in front of the issuer.
#include <condition_variable>
#include <list>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "tls/authority_store.h"
#include "tls/leaf.h"

namespace leash::tls {
namespace {

using LeafPtr = std::shared_ptr<const Leaf>;
using LeafResult = base::Result<LeafPtr>;

// One minting under way; whoever wants the same name waits for it. Minting takes a tenth of a
// millisecond, so a worker that waits loses less than posting to its loop would cost.
struct Flight {
  std::condition_variable landed;
  std::optional<LeafResult> result;
};

class LeafCache final : public LeafSource {
 public:
  LeafCache(Issuer& issuer, std::size_t max_leaves, LeafClock now)
      : issuer_(issuer), max_leaves_(max_leaves), now_(std::move(now)) {}

  void leaf_for(const base::Host& host, Done done) override { done(find_or_mint(host)); }

 private:
  struct Entry {
    std::string name;
    LeafPtr leaf;
  };
  using Entries = std::list<Entry>;

  LeafResult find_or_mint(const base::Host& host);
  // The three with the lock held.
  LeafPtr find_fresh(const std::string& name);
  void keep(const std::string& name, LeafPtr leaf);
  void erase(Entries::iterator entry);

  Issuer& issuer_;
  const std::size_t max_leaves_;
  const LeafClock now_;
  std::mutex mutex_;
  Entries entries_;  // the one used last in front
  std::unordered_map<std::string, Entries::iterator> by_name_;
  std::unordered_map<std::string, std::shared_ptr<Flight>> flights_;
};

LeafResult LeafCache::find_or_mint(const base::Host& host) {
  const std::string& name = host.text();
  std::unique_lock lock(mutex_);
  if (LeafPtr leaf = find_fresh(name)) return leaf;
  if (const auto under_way = flights_.find(name); under_way != flights_.end()) {
    const std::shared_ptr<Flight> flight = under_way->second;
    flight->landed.wait(lock, [&flight] { return flight->result.has_value(); });
    return *flight->result;
  }
  const auto flight = std::make_shared<Flight>();
  flights_.emplace(name, flight);
  lock.unlock();
  LeafResult minted = issuer_.issue(host);
  lock.lock();
  if (minted)
    keep(name, *minted);  // a failure is told to those who wait now, and tried again later
  flight->result = minted;
  flights_.erase(name);
  flight->landed.notify_all();
  return minted;
}

LeafPtr LeafCache::find_fresh(const std::string& name) {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return nullptr;
  const auto entry = found->second;
  if (!entry->leaf->is_fresh(now_())) {
    erase(entry);
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, entry);
  return entry->leaf;
}

void LeafCache::keep(const std::string& name, LeafPtr leaf) {
  if (const auto old = by_name_.find(name); old != by_name_.end()) erase(old->second);
  entries_.push_front({name, std::move(leaf)});
  by_name_[name] = entries_.begin();
  if (entries_.size() > max_leaves_) erase(std::prev(entries_.end()));
}

void LeafCache::erase(Entries::iterator entry) {
  by_name_.erase(entry->name);
  entries_.erase(entry);
}

}  // namespace

std::unique_ptr<LeafSource> make_leaf_cache(Issuer& issuer, std::size_t max_leaves, LeafClock now) {
  if (!now) now = [] { return std::chrono::system_clock::now(); };
  return std::make_unique<LeafCache>(issuer, max_leaves, std::move(now));
}

}  // namespace leash::tls
