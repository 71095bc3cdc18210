// What the workers count. Read by /metrics.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace leash::proxy {

// How long something took, in buckets for Prometheus.
class Durations {
 public:
  using Time = std::chrono::nanoseconds;
  // Upper bounds; one more bucket takes what is longer.
  static constexpr std::array<Time, 17> kBounds{
      std::chrono::microseconds(100), std::chrono::microseconds(250),
      std::chrono::microseconds(500), std::chrono::milliseconds(1),
      std::chrono::milliseconds(2),   std::chrono::milliseconds(5),
      std::chrono::milliseconds(10),  std::chrono::milliseconds(25),
      std::chrono::milliseconds(50),  std::chrono::milliseconds(100),
      std::chrono::milliseconds(250), std::chrono::milliseconds(500),
      std::chrono::seconds(1),        std::chrono::seconds(5),
      std::chrono::seconds(15),       std::chrono::seconds(60),
      std::chrono::seconds(300)};

  void add(Time time) {
    std::size_t bucket = 0;
    while (bucket < kBounds.size() && kBounds[bucket] < time) ++bucket;
    buckets_[bucket].fetch_add(1, std::memory_order_relaxed);
    total_.fetch_add(static_cast<std::uint64_t>(time.count()), std::memory_order_relaxed);
  }
  // Of this bucket alone.
  [[nodiscard]] std::uint64_t count(std::size_t bucket) const {
    return buckets_[bucket].load(std::memory_order_relaxed);
  }
  [[nodiscard]] Time total() const {
    return Time(static_cast<Time::rep>(total_.load(std::memory_order_relaxed)));
  }

 private:
  std::array<std::atomic<std::uint64_t>, kBounds.size() + 1> buckets_{};
  std::atomic<std::uint64_t> total_{0};
};

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
  Gauge origin_connections_open{0};
  Counter client_handshakes{0};
  Counter client_resumed{0};
  // Limits that bit.
  Counter limit_connections{0};
  Counter limit_connections_per_client{0};
  Counter limit_client_memory{0};
  Counter limit_origin_connections{0};
  Counter limit_head{0};
  Counter limit_head_time{0};
  Counter limit_handshake_time{0};
  Counter limit_connect_time{0};
  Counter limit_idle_time{0};
  Counter limit_h2{0};
  Counter audit_refused{0};
  Counter policy_cuts{0};
  Durations allowed_time;  // from the head of a request to its outcome
  Durations intent_time;   // from an intent to its acknowledgement
};

inline void count(Metrics::Counter& counter, std::uint64_t by = 1) {
  counter.fetch_add(by, std::memory_order_relaxed);
}

}  // namespace leash::proxy
