#include "tls/leaf_cache.h"

#include <iterator>
#include <utility>

#include "tls/leaf.h"

namespace leash::tls {

LeafCache::LeafCache(std::size_t max_leaves, LeafClock now)
    : max_leaves_(max_leaves),
      now_(now ? std::move(now) : [] { return std::chrono::system_clock::now(); }) {}

std::shared_ptr<const Leaf> LeafCache::find(const base::Host& host) {
  const std::lock_guard lock(mutex_);
  const auto found = by_name_.find(host.text());
  if (found == by_name_.end()) return nullptr;
  const auto entry = found->second;
  if (!entry->leaf->is_fresh(now_())) {
    erase(entry);
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, entry);
  return entry->leaf;
}

void LeafCache::keep(const base::Host& host, std::shared_ptr<const Leaf> leaf) {
  const std::lock_guard lock(mutex_);
  const std::string& name = host.text();
  if (const auto old = by_name_.find(name); old != by_name_.end()) erase(old->second);
  entries_.push_front({name, std::move(leaf)});
  by_name_[name] = entries_.begin();
  if (entries_.size() > max_leaves_) erase(std::prev(entries_.end()));
}

std::size_t LeafCache::size() {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

void LeafCache::erase(Entries::iterator entry) {
  by_name_.erase(entry->name);
  entries_.erase(entry);
}

}  // namespace leash::tls
