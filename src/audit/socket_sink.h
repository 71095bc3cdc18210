// The audit log as a stream: whoever connects to a unix socket gets the lines from then on.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "audit/backlog.h"
#include "audit/inbox.h"
#include "audit/loss_log.h"
#include "audit/sink.h"
#include "base/fd.h"

namespace leash::audit {

// NDJSON: each reader gets each line that is written after it has come, with a gap line in place of
// those that it was too slow for. What a reader sends is thrown away. A reader above the number is
// closed at once.
class SocketSink : public Sink {
 public:
  struct Limits {
    std::size_t readers = 16;
    std::size_t backlog_bytes = 4 * 1024 * 1024;  // of each
  };
  // `listener`: listening, non-blocking, of stream type. `path` is for messages.
  SocketSink(base::Fd listener, std::string path, Limits limits);
  // Gives readers a second to take what waits for them.
  ~SocketSink() override;

  [[nodiscard]] bool wants() const override { return peers_ > 0; }
  void offer(SharedBatch batch) override { inbox_.put(std::move(batch)); }
  void retire() override { inbox_.close(); }
  [[nodiscard]] Counts counts() const override { return {lines_, lost_, peers_}; }
  [[nodiscard]] std::string_view name() const override { return "socket"; }

 private:
  struct Reader {
    Reader(base::Fd given, std::size_t limit) : fd(std::move(given)), backlog(limit) {}
    base::Fd fd;
    Backlog backlog;
    bool has_ended = false;  // it will send nothing more; it may read on
    bool is_gone = false;
  };

  void run();
  void accept_all();
  void distribute();
  void serve(Reader& reader, short events);
  void send(Reader& reader);
  static void discard(Reader& reader);
  [[nodiscard]] bool is_drained() const;

  const base::Fd listener_;
  const std::string path_;
  const Limits limits_;
  Inbox inbox_;
  LossLog losses_;
  std::atomic<std::uint64_t> lines_{0}, lost_{0}, peers_{0};
  std::vector<std::unique_ptr<Reader>> readers_;  // of the thread
  std::thread thread_;
};

}  // namespace leash::audit
