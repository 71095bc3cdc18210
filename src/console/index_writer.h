// Puts rows into the index, and remembers how far each log file has been read.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "console/block.h"
#include "console/database.h"
#include "console/dictionary.h"
#include "console/row.h"

namespace leash::console {

// A log file as the index knows it, whatever it is called at the moment.
struct KnownFile {
  std::uint32_t id = 0;
  std::string key;         // tells it from other files: a digest of its first line
  std::string path;        // where it was last
  std::uint64_t done = 0;  // bytes, unpacked, of the lines that are in the index
  bool is_whole = false;   // it was packed, and read to its end
};

struct IndexCounts {
  std::uint64_t lines = 0;
  std::uint64_t skipped = 0;   // lines that are no events
  std::uint64_t connects = 0;  // connect_allowed among the lines
  std::uint64_t newest = 0;    // the last row's seq
  std::int64_t newest_us = 0;
};

// One thread's. What was added since the last commit is gone where the process ends: positions and
// rows are committed together, so that kill -9 costs time and nothing else.
class IndexWriter {
 public:
  // Throws an index away that is damaged or of another version. Errors: io.
  [[nodiscard]] static base::Result<std::unique_ptr<IndexWriter>> open(const std::string& path);
  static void remove(const std::string& path);

  [[nodiscard]] const std::vector<KnownFile>& files() const { return files_; }
  // The file's number; made where its key is new.
  [[nodiscard]] std::uint32_t file_id(const std::string& key, const std::string& path);
  // Forgets the rows of files that are not there any more.
  void drop_files(const std::vector<std::uint32_t>& gone);

  // Gives `row` its seq. `log_seq`: the line's own, or 0.
  void add(Row& row, std::uint64_t log_seq, std::uint32_t file, std::uint64_t position);
  void skip_line() { ++counts_.skipped; }
  void set_done(std::uint32_t file, std::uint64_t done);
  void set_whole(std::uint32_t file, std::uint64_t done);

  // Errors: io; then nothing since the last commit is kept, and the writer is of no more use.
  [[nodiscard]] base::Result<void> commit();

  [[nodiscard]] const IndexCounts& counts() const { return counts_; }
  [[nodiscard]] bool is_damaged() const { return database_->is_damaged(); }
  // False: its file has been deleted or replaced, and readers would not see what it writes.
  [[nodiscard]] bool is_in_place() const;

 private:
  IndexWriter(const std::string& path, std::unique_ptr<Database> database);
  [[nodiscard]] bool load();
  void begin();
  void write_block();
  void finish_block();
  void update_file(std::uint32_t file, std::uint64_t done, bool is_whole);
  void put(const char* key, std::int64_t value);

  const std::string path_;
  std::unique_ptr<Database> database_;
  struct stat file_ {};
  NameWriter names_;
  TextWriter texts_;
  BlockBuilder block_;
  std::int64_t block_id_ = 1;
  IndexCounts counts_;
  std::vector<KnownFile> files_;
  bool is_in_transaction_ = false;
};

}  // namespace leash::console
