// How many connections each client address has, over all workers.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>

#include "base/ip_address.h"

namespace leash::proxy {

class ClientCounts {
 public:
  enum class Answer { kTaken, kFull, kClientFull };
  ClientCounts(std::size_t total, std::size_t per_client)
      : total_limit_(total), client_limit_(per_client) {}

  // kTaken must be given back by leave().
  [[nodiscard]] Answer enter(const base::IpAddress& client) {
    const std::scoped_lock lock(mutex_);
    if (total_ >= total_limit_) return Answer::kFull;
    const auto it = counts_.find(client);
    if (it != counts_.end() && it->second >= client_limit_) return Answer::kClientFull;
    ++counts_[client];
    ++total_;
    return Answer::kTaken;
  }
  void leave(const base::IpAddress& client) {
    const std::scoped_lock lock(mutex_);
    const auto it = counts_.find(client);
    if (it == counts_.end()) return;
    --total_;
    if (--it->second == 0) counts_.erase(it);
  }

 private:
  std::mutex mutex_;
  std::map<base::IpAddress, std::size_t> counts_;
  std::size_t total_ = 0;
  std::size_t total_limit_;
  std::size_t client_limit_;
};

}  // namespace leash::proxy
