// What the workers count. Read by /metrics.
#pragma once

#include <atomic>
#include <cstdint>

namespace leash::proxy {

struct Metrics {
  using Counter = std::atomic<std::uint64_t>;
  using Gauge = std::atomic<std::int64_t>;

  Counter connections{0};
  Gauge connections_open{0};
  Gauge tunnels_open{0};
  Counter requests{0};
  Counter allowed{0};
  Counter blocked{0};
  Counter errors{0};
  Counter bytes_up{0};
  Counter bytes_down{0};
  Counter origin_connections{0};
  Counter origin_reused{0};
  Counter client_handshakes{0};
  Counter client_resumed{0};
  // Limits that bit.
  Counter limit_connections{0};
  Counter limit_connections_per_client{0};
  Counter limit_head{0};
  Counter limit_head_time{0};
  Counter limit_handshake_time{0};
  Counter limit_connect_time{0};
  Counter limit_idle_time{0};
  Counter limit_h2{0};
  Counter audit_refused{0};
  Counter policy_cuts{0};
};

inline void count(Metrics::Counter& counter, std::uint64_t by = 1) {
  counter.fetch_add(by, std::memory_order_relaxed);
}

}  // namespace leash::proxy
