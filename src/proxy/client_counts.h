// Who is connected, over all workers: how many connections each client has, and what it makes leash
// hold. A client is whatever net::Peer::account says.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "proxy/client_memory.h"

namespace leash::proxy {

class ClientCounts {
 public:
  enum class Answer { kTaken, kFull, kClientFull };
  struct Place {
    Answer answer = Answer::kFull;
    std::shared_ptr<ClientMemory> memory;  // of this client; null unless kTaken
    // The place is taken until nobody holds this. Not to outlive the counts.
    std::shared_ptr<void> seat;
  };
  struct Limits {
    std::size_t total = 0;
    std::size_t per_client = 0;
    std::size_t memory_per_client_bytes = 0;
    std::size_t capture_bytes = 0;  // of all clients
  };
  explicit ClientCounts(const Limits& limits) : limits_(limits), captures_(limits.capture_bytes) {}

  [[nodiscard]] Place enter(const std::string& client) {
    const std::scoped_lock lock(mutex_);
    if (total_ >= limits_.total) return {Answer::kFull, nullptr, nullptr};
    auto it = clients_.find(client);
    if (it == clients_.end()) {
      it = clients_
               .emplace(client,
                        Client{0, std::make_shared<ClientMemory>(limits_.memory_per_client_bytes,
                                                                 captures_, limits_.capture_bytes)})
               .first;
    } else if (it->second.connections >= limits_.per_client) {
      return {Answer::kClientFull, nullptr, nullptr};
    }
    ++it->second.connections;
    ++total_;
    return {Answer::kTaken, it->second.memory,
            std::shared_ptr<void>(this, [this, client](void*) { leave(client); })};
  }

 private:
  void leave(const std::string& client) {
    const std::scoped_lock lock(mutex_);
    const auto it = clients_.find(client);
    if (it == clients_.end()) return;
    --total_;
    if (--it->second.connections == 0) clients_.erase(it);
  }

  struct Client {
    std::size_t connections = 0;
    std::shared_ptr<ClientMemory> memory;
  };
  std::mutex mutex_;
  std::map<std::string, Client> clients_;
  std::size_t total_ = 0;
  const Limits limits_;
  audit::CaptureBudget captures_;
};

}  // namespace leash::proxy
