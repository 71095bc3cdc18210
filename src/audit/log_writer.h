// The audit log: one writer thread that numbers, chains and appends lines, and tells when each is
// on record.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "audit/file_system.h"
#include "audit/record.h"
#include "base/error.h"

namespace leash::audit {

enum class Durability {
  kWrite,  // in the kernel: survives the death of the process
  kSync,   // on the disk: survives a power loss; lines that wait together share one fdatasync
  kAsync,  // queued: what is in memory may be lost
};

class LogWriter {
 public:
  struct Options {
    std::string path;
    Durability durability = Durability::kWrite;
    // Bytes of lines that wait for the writer; more is refused with audit_unavailable.
    std::size_t queue_bytes = 64 * 1024 * 1024;
    // While the log cannot be written: how long until it is tried again.
    std::chrono::milliseconds retry{100};

    // Signs checkpoints (see checkpoint.h); absent: there are none. Called on the writer's thread.
    std::function<std::string(std::string_view)> sign;
    std::string key_id;
    std::size_t checkpoint_lines = 1000;
    std::chrono::milliseconds checkpoint_interval{10'000};  // after the first line that has none

    FileSystem fs{};
  };
  // Called on the writer's thread, in order of the lines; the receiver posts to its own loop. With
  // kAsync, and where a line is refused at once with kAsync, it is called within `append` instead.
  // Errors: audit_unavailable.
  using Done = std::function<void(base::Result<void>)>;

  // Opens the log (made with 0640 if absent; its directory must exist), repairs a torn last line
  // (the repair is told in the first line written), reads where seq and chain stand, starts the
  // thread. A log that cannot be opened now is not an error: lines are refused until it can.
  // Errors: bad_config (a directory, a FIFO).
  [[nodiscard]] static base::Result<std::unique_ptr<LogWriter>> open(Options options);
  // Writes what is queued, then ends.
  ~LogWriter();

  // Thread-safe, never blocks. Renders on the caller's thread. `done` may be empty: then it is a
  // line that nobody waits for (an outcome), kept while the log cannot be written, as far as the
  // queue goes, and written when it can.
  void append(const Record& record, Done done = {});
  // The file was moved (SIGHUP). It is also noticed by itself before each batch (inode).
  void reopen();
  [[nodiscard]] bool is_writable() const;
  struct Counts {
    std::uint64_t lines = 0, bytes = 0, refused = 0, lost = 0, failures = 0;
  };
  [[nodiscard]] Counts counts() const;

 private:
  LogWriter();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace leash::audit
