// A few threads for what may take time: queries, files, other people's sockets.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace leash::console {

class QueryPool {
 public:
  static constexpr std::size_t kMostWaiting = 128;

  explicit QueryPool(std::size_t threads);
  // Ends what runs, drops what waits.
  ~QueryPool();
  QueryPool(const QueryPool&) = delete;
  QueryPool& operator=(const QueryPool&) = delete;

  // False: too much waits already. From any thread.
  [[nodiscard]] bool run(std::function<void()> task);
  // For the next step of something that has begun: always taken.
  void go_on(std::function<void()> task);

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable wakeup_;
  std::deque<std::function<void()>> waiting_;
  bool is_stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace leash::console
