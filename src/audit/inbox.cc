#include "audit/inbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

namespace leash::audit {

Inbox::Inbox(std::size_t limit_bytes)
    : limit_bytes_(limit_bytes), event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void Inbox::ring() const {
  const std::uint64_t one = 1;
  // It can only fail where it has rung some 2^64 times already.
  [[maybe_unused]] const ssize_t count = ::write(event_.get(), &one, sizeof one);
}

void Inbox::put(SharedBatch batch) {
  const std::lock_guard lock(mutex_);
  if (bytes_ >= limit_bytes_) return;
  const bool was_empty = batches_.empty();
  bytes_ += batch->text.size();
  batches_.push_back(std::move(batch));
  if (was_empty) ring();
}

void Inbox::close() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  ring();
}

std::deque<SharedBatch> Inbox::take() {
  std::uint64_t rung = 0;
  const std::lock_guard lock(mutex_);
  [[maybe_unused]] const ssize_t count = ::read(event_.get(), &rung, sizeof rung);
  bytes_ = 0;
  return std::exchange(batches_, {});
}

bool Inbox::is_closed() const {
  const std::lock_guard lock(mutex_);
  return is_closed_;
}

}  // namespace leash::audit
