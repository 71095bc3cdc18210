// Sessions of origins for resumption: a bounded LRU.
// Only .cc files in this folder include it.
#pragma once

#include <chrono>
#include <list>
#include <string>
#include <unordered_map>

#include "tls/openssl.h"

namespace leash::tls {

// One worker's; not thread-safe. Kept serialised: parsed sessions hold the origin's whole chain,
// ten times the memory.
class SessionCache {
 public:
  using Time = std::chrono::system_clock::time_point;

  explicit SessionCache(std::size_t max_entries) : max_entries_(max_entries) {}

  // The newest one of a key replaces those before it.
  void put(const std::string& key, SSL_SESSION* session);
  // Null where there is none that is alive at `now` with a certificate that is. One of TLS 1.3 is
  // taken out: its ticket is for one use (RFC 8446 appendix C.4).
  [[nodiscard]] SessionPtr take(const std::string& key, Time now);
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string key;
    std::string der;
  };
  using Entries = std::list<Entry>;

  void erase(Entries::iterator entry);

  std::size_t max_entries_;
  Entries entries_;  // the newest in front
  std::unordered_map<std::string, Entries::iterator> by_key_;
};

}  // namespace leash::tls
