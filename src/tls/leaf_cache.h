// A bounded LRU of leaves, keyed by the canonical host.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "tls/engine.h"

namespace leash::tls {

// The system's clock where empty; thread-safe.
using LeafClock = std::function<std::chrono::system_clock::time_point()>;

// Shared by the workers. Thread-safe.
class LeafCache {
 public:
  explicit LeafCache(std::size_t max_leaves, LeafClock now = {});

  // Null where there is none, or one that has less than a day to go.
  [[nodiscard]] std::shared_ptr<const Leaf> find(const base::Host& host);
  void keep(const base::Host& host, std::shared_ptr<const Leaf> leaf);
  [[nodiscard]] std::size_t size();

 private:
  struct Entry {
    std::string name;
    std::shared_ptr<const Leaf> leaf;
  };
  using Entries = std::list<Entry>;
  void erase(Entries::iterator entry);

  const std::size_t max_leaves_;
  const LeafClock now_;
  std::mutex mutex_;
  Entries entries_;  // the one used last in front
  std::unordered_map<std::string, Entries::iterator> by_name_;
};

}  // namespace leash::tls
