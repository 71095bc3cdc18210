// Keeps the index up with the log, on a thread of its own.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "console/index_writer.h"
#include "console/log_feed.h"

namespace leash::console {

struct IndexStatus {
  IndexCounts counts;
  std::uint64_t bytes_done = 0;
  std::uint64_t bytes_total = 0;
  bool is_ready = false;         // everything that the log has is in it, as of a moment ago
  std::uint64_t generation = 0;  // of the file: readers open it anew when this grows
  std::string trouble;           // why it does not go on; "" while it does
};

class Indexer {
 public:
  // Rows just after they have come in, in order; on the indexer's thread. Not called for what was
  // in the log before, nor for all of it where a great many come at once.
  using OnRows = std::function<void(std::vector<Row> rows)>;

  Indexer(std::string log, std::string path, OnRows on_rows);
  ~Indexer();
  Indexer(const Indexer&) = delete;
  Indexer& operator=(const Indexer&) = delete;

  [[nodiscard]] IndexStatus status() const;
  // Throws the index away and makes it anew from the log. From any thread.
  void rebuild();
  // The same where that making of the index is still in use and proved to be damaged. Returns when
  // the next one has begun, or after kReplaceTime. From any thread but the indexer's.
  void replace(std::uint64_t generation, const std::string& why);

 private:
  static constexpr std::chrono::seconds kReplaceTime{5};

  void run();
  [[nodiscard]] bool begin_anew();
  bool set_being_made(bool is_being_made);
  void work();
  [[nodiscard]] base::Result<bool> round(IndexWriter& writer, LogFeed& feed);
  void publish(const IndexWriter& writer, const LogFeed& feed, bool is_ready);
  void tell_trouble(const std::string& text);
  bool wait(std::chrono::milliseconds time);

  const std::string log_;
  const std::string path_;
  OnRows on_rows_;
  std::atomic<bool> is_rebuild_wanted_{false};
  std::atomic<bool> is_stopping_{false};
  mutable std::mutex mutex_;
  std::condition_variable wakeup_;
  IndexStatus status_;          // guarded by mutex_, like the next three
  std::string damage_;          // why it is made anew; "": somebody wants that
  bool is_being_made_ = false;  // the one before is going, `generation` still its number
  std::chrono::steady_clock::time_point replaced_{};
  std::thread thread_;
};

}  // namespace leash::console
