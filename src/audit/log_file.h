// The file of the audit log: opened again when its name leads elsewhere, and never left with half a
// line where that can be helped.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "audit/file_system.h"
#include "audit/log_tail.h"
#include "base/error.h"
#include "base/fd.h"

namespace leash::audit {

// A piece of a line that was found or had to be left; it is told in the next line written.
struct TornPiece {
  std::uint64_t bytes = 0;
  std::string start;     // its first bytes
  bool is_kept = false;  // still in the file, as a line of its own
};

class LogFile {
 public:
  enum class SyncDirectory { kNo, kYes };
  LogFile(std::string path, FileSystem fs, SyncDirectory sync);

  // Makes sure that the file that the path names now is the one open; opens it or makes it (0640).
  // After the first success `tail()` tells how the log stood then. Errors: io, bad_config (a
  // directory, a FIFO, a device).
  [[nodiscard]] base::Result<void> ensure_open();
  // Opens anew at the next ensure_open.
  void close();

  struct Appended {
    std::size_t bytes = 0;  // of `text`, up to the end of a line; all of it where error is 0
    int error = 0;          // errno
  };
  // Appends `text`, whole lines that end at `line_ends` (ascending, repeats allowed). On failure
  // what was written of an unfinished line is cut off again.
  [[nodiscard]] Appended append(std::string_view text, std::span<const std::size_t> line_ends);
  // 0 or errno.
  [[nodiscard]] int sync();
  // Takes the last append out of the file again. False where the file system does not let go of it.
  [[nodiscard]] bool take_back();
  // Whether there seems to be room for a line again; writes nothing. 0 or errno.
  [[nodiscard]] int probe();

  [[nodiscard]] const std::optional<LogTail>& tail() const { return tail_; }
  [[nodiscard]] const std::optional<TornPiece>& torn() const { return torn_; }
  void torn_is_told() { torn_.reset(); }

 private:
  base::Result<void> open_now();
  base::Result<void> look_at_tail();
  bool cut(std::uint64_t end);
  void cut_leftover();
  void leave(std::string_view piece, std::uint64_t end);
  void sync_directory() const;

  std::string path_;
  FileSystem fs_;
  SyncDirectory sync_;
  base::Fd fd_;
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
  std::optional<LogTail> tail_;
  std::optional<TornPiece> torn_;
  bool needs_newline_ = false;  // the file ends with a piece of a line
  struct Leftover {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };
  std::optional<Leftover> leftover_;  // that piece, where it is ours and could not be cut off
  std::uint64_t last_begin_ = 0;      // the last append
  bool last_had_newline_ = false;
};

}  // namespace leash::audit
