#include "console/query_pool.h"

#include <utility>

namespace leash::console {

QueryPool::QueryPool(std::size_t threads) {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

QueryPool::~QueryPool() {
  {
    const std::scoped_lock lock(mutex_);
    is_stopping_ = true;
  }
  wakeup_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool QueryPool::run(std::function<void()> task) {
  {
    const std::scoped_lock lock(mutex_);
    if (waiting_.size() >= kMostWaiting) return false;
    waiting_.push_back(std::move(task));
  }
  wakeup_.notify_one();
  return true;
}

void QueryPool::go_on(std::function<void()> task) {
  {
    const std::scoped_lock lock(mutex_);
    waiting_.push_back(std::move(task));
  }
  wakeup_.notify_one();
}

void QueryPool::work() {
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      wakeup_.wait(lock, [this] { return is_stopping_ || !waiting_.empty(); });
      if (is_stopping_) return;
      task = std::move(waiting_.front());
      waiting_.pop_front();
    }
    task();
  }
}

}  // namespace leash::console
