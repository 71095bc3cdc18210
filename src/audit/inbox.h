// Batches on their way from the writer's thread to a sink's.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>

#include "audit/sink.h"
#include "base/fd.h"

namespace leash::audit {

class Inbox {
 public:
  explicit Inbox(std::size_t limit_bytes);

  // Writer's thread: never waits longer than for the mutex. What has no room is left out; the sink
  // sees it by the numbers.
  void put(SharedBatch batch);
  // No more will come.
  void close();

  // Sink's thread. Readable while there is something to take, or it was closed.
  [[nodiscard]] int fd() const { return event_.get(); }
  [[nodiscard]] std::deque<SharedBatch> take();
  [[nodiscard]] bool is_closed() const;

 private:
  void ring() const;

  const std::size_t limit_bytes_;
  base::Fd event_;
  mutable std::mutex mutex_;
  std::deque<SharedBatch> batches_;  // guarded by mutex_
  std::size_t bytes_ = 0;            // guarded by mutex_
  bool is_closed_ = false;           // guarded by mutex_
};

}  // namespace leash::audit
