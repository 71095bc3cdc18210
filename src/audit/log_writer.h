// The audit log: one writer thread that numbers, chains and appends lines, and tells when each is
// on record.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "audit/file_system.h"
#include "audit/log_turn.h"
#include "audit/record.h"
#include "audit/sink.h"
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

    // A file that has reached so many bytes is moved aside (rotated_name.h), behind a checkpoint,
    // and packed; 0: leash does not rotate. So many rotated files are kept; 0: all.
    std::size_t rotate_bytes = 0;
    std::size_t rotate_keep = 0;

    // Get each line once it is in the file.
    std::vector<std::shared_ptr<Sink>> sinks;

    // For the time when several processes write this log, as they do at the start where is_shared
    // (this one is the newest then); see stand().
    std::shared_ptr<const LogTurn> turn;
    bool is_shared = false;
    // How long another process may keep the turn before the log counts as one that cannot be
    // written.
    std::chrono::milliseconds turn_patience{2000};

    FileSystem fs{};
  };
  // Called on the writer's thread, in order of the lines; the receiver posts to its own loop. With
  // kAsync, and where a line is refused at once with kAsync, it is called within `append` instead.
  // Errors: audit_unavailable.
  using Done = std::function<void(base::Result<void>)>;

  // Opens the log (made with 0640 if absent; its directory must exist), repairs a torn last line
  // (the repair is told in the first line written), reads where seq and chain stand, starts the
  // thread. A log that cannot be opened now is not an error: lines are refused until it can.
  // Errors: bad_config (a directory, a FIFO); io (another process shares the log and keeps the
  // turn).
  [[nodiscard]] static base::Result<std::unique_ptr<LogWriter>> open(Options options);
  // close()
  ~LogWriter();
  // Writes what is queued, answers everyone, then ends its thread: no Done runs afterwards. What is
  // appended later is lost. Once its receivers are to go, before them.
  void close();

  enum class Wake {
    kNow,
    kByCaller,  // who appends several lines in a turn of its loop calls wake() behind the last one
  };
  // Thread-safe, never blocks. Renders on the caller's thread. `done` may be empty: then it is a
  // line that nobody waits for (an outcome), kept while the log cannot be written, as far as the
  // queue goes, and written when it can; it may stay in memory for kLinger, in the hope of a line
  // that goes to the file with it.
  void append(const Record& record, Done done = {}, Wake when = Wake::kNow);
  static constexpr std::chrono::milliseconds kLinger{1};
  // Thread-safe: what was appended with kByCaller is written now.
  void wake();
  // Who else writes the same log, in turns with this one; among them, the newest one rotates it and
  // feeds the sinks.
  enum class Standing {
    kAlone,     // nobody
    kNewest,    // processes that this one has taken over from
    kReplaced,  // a process that takes this one's place
  };
  // Thread-safe. `done`, on the writer's thread: it is so. What was wanted before and is not so yet
  // falls away, its `done` as well. Anything but kAlone with Options::turn only.
  void stand(Standing standing, std::function<void()> done = {});
  // The file was moved (SIGHUP). It is also noticed by itself before each batch (inode).
  void reopen();
  [[nodiscard]] bool is_writable() const;
  struct Counts {
    std::uint64_t lines = 0, bytes = 0, refused = 0, lost = 0, failures = 0;
    std::uint64_t queued_bytes = 0;  // of lines that are not in the file yet
  };
  [[nodiscard]] Counts counts() const;

 private:
  LogWriter();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace leash::audit
