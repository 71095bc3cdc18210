// The lines of a log and of the files that rotation made of it, each once, in order, as they come.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "console/index_writer.h"
#include "console/plain_lines.h"

namespace leash::console {

// One thread's.
class LogFeed {
 public:
  LogFeed(std::string log, IndexWriter& writer);
  ~LogFeed();
  LogFeed(const LogFeed&) = delete;
  LogFeed& operator=(const LogFeed&) = delete;

  // Looks at the files again where something has changed: rotation, truncation, a new file. Errors:
  // io.
  [[nodiscard]] base::Result<void> look();

  struct Line {
    std::string_view text;
    std::uint32_t file = 0;
    std::uint64_t position = 0;
  };
  // Hands over at most `most` lines and tells the writer how far each file is done. False: there
  // are none left for now. Errors: io, and those of audit::LogReader for a packed file (which is
  // then left alone until it changes).
  [[nodiscard]] base::Result<bool> read(std::size_t most,
                                        const std::function<void(const Line&)>& on_line);

  // Of all files as they are on disk, and how much of it has been read.
  [[nodiscard]] std::uint64_t bytes_total() const { return bytes_total_; }
  [[nodiscard]] std::uint64_t bytes_done() const;

 private:
  struct Source;
  [[nodiscard]] base::Result<void> scan();
  [[nodiscard]] bool is_live_unchanged();
  void add_source(const std::string& path, bool is_live);
  [[nodiscard]] base::Result<bool> read_source(Source& source, std::size_t& left,
                                               const std::function<void(const Line&)>& on_line);

  std::string log_;
  std::string folder_;
  IndexWriter& writer_;
  std::vector<std::unique_ptr<Source>> sources_;  // with something left to read, oldest first
  std::vector<std::uint32_t> present_;            // files that the last scan found
  std::vector<std::string> unreadable_;           // paths that it could not tell the file of
  std::unique_ptr<PlainLines> live_;
  std::uint32_t live_file_ = 0;
  std::string live_head_;  // its first bytes: a file cut and grown again has others
  struct stat live_stat_ {};
  struct timespec folder_time_ {};
  bool has_scanned_ = false;
  std::uint64_t bytes_total_ = 0;
  std::uint64_t bytes_before_ = 0;  // of the files that are done
};

}  // namespace leash::console
