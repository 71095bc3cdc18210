// Certificate chains of origins that have been verified: their signatures need not be checked
// again. Only .cc files in this folder include it.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <map>
#include <optional>

#include "tls/digest.h"
#include "tls/openssl.h"

namespace leash::tls {

// What one trust store has found good for TLS servers, whatever the name that was asked for. One
// worker's; not thread-safe. Bounded.
class VerifiedChains {
 public:
  using Time = std::chrono::system_clock::time_point;
  // Names a chain: over all the bytes that the origin has sent of it.
  using Id = Digest;
  static constexpr std::chrono::minutes kLife{60};

  explicit VerifiedChains(std::size_t max_entries) : max_entries_(max_entries) {}

  // nullopt where OpenSSL has no memory.
  [[nodiscard]] static std::optional<Id> id_of(const X509_STORE_CTX* presented);
  // `verified`, which X509_verify_cert has accepted at `now`, is good until its first certificate
  // ends, and for kLife at most.
  void put(const Id& id, const X509_STORE_CTX* verified, Time now);
  // False also before the time of put(): the clock was set back.
  [[nodiscard]] bool has(const Id& id, Time now) const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Time since;
    Time until;
    std::list<Id>::iterator place;
  };

  const std::size_t max_entries_;
  std::list<Id> order_;  // the newest in front
  std::map<Id, Entry> entries_;
};

}  // namespace leash::tls
