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
  // What another process has written since this one last called it, where two write in turns (see
  // LogTurn); whole lines, in order, some of which may be known already where the file was opened
  // anew. Where it is another file there may be more that was not found (it was moved twice), where
  // it was emptied there is. Repairs what that process left unfinished, and opens the file that the
  // path names now.
  struct News {
    std::string text;
    bool is_moved = false;
    bool is_emptied = false;
    std::optional<LogTail> tail;  // instead of too much text
    // There is more than this: what kept it from being read, or the path from being opened. As
    // those of ensure_open.
    std::optional<base::Error> error;
  };
  [[nodiscard]] News catch_up();
  // How the file stands now.
  [[nodiscard]] base::Result<LogTail> look() const;
  // Everything up to here is known.
  void mark_known();
  // Gives the file another name, in the same folder; the next ensure_open makes a new one. 0 or
  // errno: EEXIST where there is something under that name or its packed one, ESTALE where the path
  // leads elsewhere.
  [[nodiscard]] int rotate(const std::string& to);
  // Bytes in the file, as far as they were seen.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  // Whether there seems to be room for a line again; writes nothing. 0 or errno.
  [[nodiscard]] int probe();

  [[nodiscard]] const std::optional<LogTail>& tail() const { return tail_; }
  [[nodiscard]] const std::optional<TornPiece>& torn() const { return torn_; }
  void torn_is_told() { torn_.reset(); }

 private:
  base::Result<void> open_now();
  base::Result<void> look_at_tail();
  [[nodiscard]] std::uint64_t last_begin() const;
  bool cut(std::uint64_t end);
  void cut_leftover();
  void leave(std::string_view piece, std::uint64_t end);
  base::Result<void> read_news(News& news);
  [[nodiscard]] base::Result<LogTail> read_tail_of(std::uint64_t size) const;
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
  std::size_t last_written_ = 0;      // by the last append
  std::uint64_t size_ = 0;
  bool last_had_newline_ = false;
  std::uint64_t known_ = 0;        // bytes that need no catch_up, of this file
  std::uint64_t known_inode_ = 0;  // 0: that file is closed; its number may be another's by now
};

}  // namespace leash::audit
