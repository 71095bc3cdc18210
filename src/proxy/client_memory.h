// What one client makes leash hold, over all its connections and all workers: a bound that no
// number of connections, streams or readers that do not read can pass.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

#include "audit/capture.h"
#include "http/h2_limits.h"

namespace leash::proxy {

// Thread-safe. Counts what MemoryShare says; a limit here is not a promise to the byte, since each
// reader sees it after it has taken in what one read gave.
class ClientMemory {
 public:
  enum class Level {
    kRelaxed,  // below a half
    kTight,    // queues are kept short: kTightBytes in place of buffer_kb
    kFull,     // from three quarters on: nothing new is begun
    kOver,     // whatever would hold more is cut
  };
  // Not below the marks at which the legs tell that a queue has drained.
  static constexpr std::size_t kTightBytes = http::H2Limits{}.low_mark_bytes;

  // `captures` is everybody's budget for copies of bodies; one client may have a quarter of it.
  ClientMemory(std::size_t limit_bytes, audit::CaptureBudget& captures, std::size_t capture_bytes)
      : limit_(limit_bytes), captures_(capture_bytes / 4, &captures) {}

  [[nodiscard]] Level level() const {
    const std::size_t used = used_.load(std::memory_order_relaxed);
    if (used < limit_ / 2) return Level::kRelaxed;
    if (used < limit_ / 4 * 3) return Level::kTight;
    return used < limit_ ? Level::kFull : Level::kOver;
  }
  [[nodiscard]] audit::CaptureBudget& captures() { return captures_; }
  [[nodiscard]] std::size_t used_bytes() const { return used_.load(std::memory_order_relaxed); }
  // The most that a queue may hold before its source is paused.
  [[nodiscard]] std::size_t mark(std::size_t relaxed_bytes) const {
    return level() == Level::kRelaxed ? relaxed_bytes : std::min(relaxed_bytes, kTightBytes);
  }

 private:
  friend class MemoryShare;
  std::atomic<std::size_t> used_{0};
  const std::size_t limit_;
  audit::CaptureBudget captures_;
};

// The part that one exchange or connection holds; given back when it is destroyed.
class MemoryShare {
 public:
  explicit MemoryShare(std::shared_ptr<ClientMemory> memory) : memory_(std::move(memory)) {}
  ~MemoryShare() { set(0); }
  MemoryShare(const MemoryShare&) = delete;
  MemoryShare& operator=(const MemoryShare&) = delete;

  void set(std::size_t bytes) {
    if (bytes == bytes_) return;
    // Wraps round where it shrinks.
    memory_->used_.fetch_add(bytes - bytes_, std::memory_order_relaxed);
    bytes_ = bytes;
  }
  [[nodiscard]] const ClientMemory& memory() const { return *memory_; }

 private:
  std::shared_ptr<ClientMemory> memory_;
  std::size_t bytes_ = 0;
};

}  // namespace leash::proxy
