// The rotated files of a log: one thread packs them and deletes the oldest, off the writer's way.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <thread>

namespace leash::audit {

class LogArchive {
 public:
  // Begins with what an earlier process left: plain files, half-made packed ones. Keeps the `keep`
  // newest rotated files; 0: all. Only files named as rotated_name.h says are touched.
  LogArchive(std::string log, std::size_t keep);
  // Gives up a file that is being packed; the next process does it.
  ~LogArchive();
  LogArchive(const LogArchive&) = delete;
  LogArchive& operator=(const LogArchive&) = delete;

  // There is a new rotated file. Thread-safe, never waits for the disk.
  void wake();

 private:
  void run();
  void work();
  void prune() const;

  const std::string log_;
  const std::size_t keep_;
  std::atomic<bool> is_stopping_{false};
  std::mutex mutex_;
  std::condition_variable wakeup_;
  bool has_work_ = true;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace leash::audit
