#include "console/index_writer.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "base/log.h"
#include "console/checked_bytes.h"
#include "console/index_schema.h"

namespace leash::console {
namespace {

// A seq that leaps further than this is no seq of ours, but a strange line's.
constexpr std::uint64_t kLongestLeap = 1'000'000'000'000;

std::optional<std::uint64_t> hundredths(const std::optional<double>& ms) {
  if (!ms || !std::isfinite(*ms) || *ms < 0 || *ms > 1e12) return std::nullopt;
  return static_cast<std::uint64_t>(std::llround(*ms * 100));
}

}  // namespace

void IndexWriter::remove(const std::string& path) {
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) ::unlink((path + suffix).c_str());
}

base::Result<std::unique_ptr<IndexWriter>> IndexWriter::open(const std::string& path) {
  for (int tries = 0; tries < 2; ++tries) {
    auto database = Database::open(path, Database::Mode::kWrite);
    if (!database) return tl::unexpected(database.error());
    (*database)->execute(kIndexPragmas);
    (*database)->execute(kIndexTables);
    std::unique_ptr<IndexWriter> writer(new IndexWriter(path, std::move(*database)));
    const bool is_ours = writer->load();
    const auto& error = writer->database_->error();
    // A full disk, say: no reason to throw an index away.
    if (error && !writer->is_damaged()) return tl::unexpected(*error);
    if (is_ours) return writer;
    spdlog::warn("the index is {}; it is made anew from the log",
                 error ? "damaged (" + error->detail + ")" : "of another version");
    writer.reset();
    remove(path);
  }
  return base::fail(base::Code::kIo, base::Fault::kProxy, path + ": cannot make an index");
}

IndexWriter::IndexWriter(const std::string& path, std::unique_ptr<Database> database)
    : path_(path), database_(std::move(database)), names_(*database_), texts_(*database_) {
  ::stat(path_.c_str(), &file_);
}

bool IndexWriter::is_in_place() const {
  struct stat now {};
  return ::stat(path_.c_str(), &now) == 0 && now.st_ino == file_.st_ino &&
         now.st_dev == file_.st_dev;
}

// False: it is not one of ours.
bool IndexWriter::load() {
  std::int64_t version = 0;
  Statement meta = database_->prepare("SELECT key, value FROM meta");
  while (meta.step()) {
    const std::string_view key = meta.bytes(0);
    const std::int64_t value = meta.integer(1);
    if (key == "version") version = value;
    if (key == "lines") counts_.lines = static_cast<std::uint64_t>(value);
    if (key == "skipped") counts_.skipped = static_cast<std::uint64_t>(value);
    if (key == "connects") counts_.connects = static_cast<std::uint64_t>(value);
    if (key == "newest") counts_.newest = static_cast<std::uint64_t>(value);
    if (key == "newest_us") counts_.newest_us = value;
  }
  Statement files =
      database_->prepare("SELECT id, key, path, done, is_whole FROM file WHERE is_gone = 0");
  while (files.step()) {
    files_.push_back({static_cast<std::uint32_t>(files.integer(0)), std::string(files.bytes(1)),
                      std::string(files.bytes(2)), static_cast<std::uint64_t>(files.integer(3)),
                      files.integer(4) != 0});
  }
  Statement last = database_->prepare("SELECT max(id) FROM block");
  if (last.step()) block_id_ = last.integer(0) + 1;
  if (database_->error()) return false;
  if (version == 0 && counts_.lines == 0) {
    put("version", kIndexVersion);
    return !database_->error();
  }
  return version == kIndexVersion;
}

void IndexWriter::put(const char* key, std::int64_t value) {
  database_->prepare("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)")
      .bind_text(1, key)
      .bind(2, value)
      .run();
}

void IndexWriter::begin() {
  if (is_in_transaction_) return;
  database_->execute("BEGIN IMMEDIATE");
  is_in_transaction_ = true;
}

std::uint32_t IndexWriter::file_id(const std::string& key, const std::string& path) {
  const auto found = std::find_if(files_.begin(), files_.end(),
                                  [&key](const KnownFile& each) { return each.key == key; });
  if (found != files_.end()) {
    if (found->path != path) {
      begin();
      database_->prepare("UPDATE file SET path = ? WHERE id = ?")
          .bind_text(1, path)
          .bind(2, found->id)
          .run();
      found->path = path;
    }
    return found->id;
  }
  begin();
  // One that was gone may come back, with its rows to be read again.
  database_
      ->prepare(
          "INSERT INTO file (key, path, done) VALUES (?, ?, 0) ON CONFLICT (key) DO UPDATE "
          "SET path = excluded.path, done = 0, is_whole = 0, is_gone = 0")
      .bind_text(1, key)
      .bind_text(2, path)
      .run();
  Statement id = database_->prepare("SELECT id FROM file WHERE key = ?");
  id.bind_text(1, key);
  if (!id.step()) return 0;
  files_.push_back({static_cast<std::uint32_t>(id.integer(0)), key, path, 0, false});
  return files_.back().id;
}

void IndexWriter::drop_files(const std::vector<std::uint32_t>& gone) {
  if (gone.empty()) return;
  begin();
  finish_block();
  const auto is_gone = [&gone](std::uint32_t id) {
    return std::find(gone.begin(), gone.end(), id) != gone.end();
  };
  for (const std::uint32_t id : gone) {
    database_->prepare("UPDATE file SET is_gone = 1 WHERE id = ?").bind(1, id).run();
  }
  std::erase_if(files_, [&](const KnownFile& file) { return is_gone(file.id); });
  std::vector<std::int64_t> blocks;
  Statement all = database_->prepare("SELECT id, file FROM block");
  while (all.step()) {
    if (is_gone(static_cast<std::uint32_t>(all.integer(1)))) blocks.push_back(all.integer(0));
  }
  all.reset();
  for (const char* sql :
       {"DELETE FROM block WHERE id = ?", "DELETE FROM block_hot WHERE id = ?",
        "DELETE FROM block_volume WHERE id = ?", "DELETE FROM block_cold WHERE id = ?",
        "DELETE FROM block_ids WHERE id = ?", "DELETE FROM block_summary WHERE id = ?"}) {
    Statement erase = database_->prepare(sql);
    for (const std::int64_t id : blocks) erase.bind(1, id).run();
  }
}

void IndexWriter::add(Row& row, std::uint64_t log_seq, std::uint32_t file, std::uint64_t position) {
  begin();
  // A block is of one file, so that it goes when the file goes.
  if (block_.size() > 0 && block_.file() != file) finish_block();
  const bool goes_on = log_seq > counts_.newest && log_seq - counts_.newest <= kLongestLeap;
  row.seq = goes_on ? log_seq : counts_.newest + 1;
  counts_.newest = row.seq;
  counts_.newest_us = row.time_us;
  ++counts_.lines;
  if (row.kind == EventKind::kConnectAllowed) ++counts_.connects;

  HotRow hot;
  hot.seq = row.seq;
  hot.time_us = row.time_us;
  hot.host = names_.id_of(row.host);
  hot.client = names_.id_of(row.client);
  hot.agent = names_.id_of(row.agent);
  hot.url = texts_.id_of(row.url);
  hot.reason = texts_.id_of(row.reason);
  hot.status = row.status;
  hot.kind = row.kind;
  hot.flags = row.flags;
  ColdRow cold;
  cold.file = file;
  cold.position = position;
  cold.id = row.id.substr(0, 128);
  cold.port = row.port;
  cold.method = names_.id_of(row.method);
  cold.rule = names_.id_of(row.rule);
  cold.addr = names_.id_of(row.addr);
  cold.from = names_.id_of(row.from);
  cold.to = names_.id_of(row.to);
  cold.other_event = names_.id_of(row.event);
  cold.bytes = row.bytes;
  cold.bytes_up = row.bytes_up;
  cold.bytes_down = row.bytes_down;
  cold.requests = row.requests;
  cold.ms_hundredths = hundredths(row.ms);
  const bool counts = row.counts_bytes();
  block_.add(hot, std::move(cold), counts ? row.up() : 0, counts ? row.down() : 0);
  if (block_.size() == kBlockRows) finish_block();
}

void IndexWriter::finish_block() {
  if (block_.size() == 0) return;
  write_block();
  block_.clear();
  ++block_id_;
}

void IndexWriter::write_block() {
  database_
      ->prepare(
          "INSERT OR REPLACE INTO block (id, first_seq, last_seq, first_us, last_us, rows, "
          "file, events) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(1, block_id_)
      .bind(2, static_cast<std::int64_t>(block_.first_seq()))
      .bind(3, static_cast<std::int64_t>(block_.last_seq()))
      .bind(4, block_.first_us())
      .bind(5, block_.last_us())
      .bind(6, static_cast<std::int64_t>(block_.size()))
      .bind(7, block_.file())
      .bind(8, block_.events())
      .run();
  const auto write = [this](const char* sql, std::string bytes) {
    append_check(bytes);
    database_->prepare(sql).bind(1, block_id_).bind_blob(2, bytes).run();
  };
  write("INSERT OR REPLACE INTO block_summary (id, bytes) VALUES (?, ?)", block_.summary_bytes());
  write("INSERT OR REPLACE INTO block_hot (id, bytes) VALUES (?, ?)", block_.hot_bytes());
  write("INSERT OR REPLACE INTO block_volume (id, bytes) VALUES (?, ?)", block_.volume_bytes());
  write("INSERT OR REPLACE INTO block_cold (id, bytes) VALUES (?, ?)", block_.cold_bytes());
  write("INSERT OR REPLACE INTO block_ids (id, bytes) VALUES (?, ?)", block_.id_bytes());
}

void IndexWriter::set_done(std::uint32_t file, std::uint64_t done) {
  update_file(file, done, false);
}

void IndexWriter::set_whole(std::uint32_t file, std::uint64_t done) {
  update_file(file, done, true);
}

void IndexWriter::update_file(std::uint32_t file, std::uint64_t done, bool is_whole) {
  begin();
  database_->prepare("UPDATE file SET done = ?, is_whole = ? WHERE id = ?")
      .bind(1, static_cast<std::int64_t>(done))
      .bind(2, is_whole ? 1 : 0)
      .bind(3, file)
      .run();
  for (KnownFile& each : files_) {
    if (each.id != file) continue;
    each.done = done;
    each.is_whole = is_whole;
  }
}

base::Result<void> IndexWriter::commit() {
  if (is_in_transaction_) {
    // The last, unfinished block is written anew each time until it is full.
    if (block_.size() > 0) write_block();
    put("lines", static_cast<std::int64_t>(counts_.lines));
    put("skipped", static_cast<std::int64_t>(counts_.skipped));
    put("connects", static_cast<std::int64_t>(counts_.connects));
    put("newest", static_cast<std::int64_t>(counts_.newest));
    put("newest_us", counts_.newest_us);
    database_->execute("COMMIT");
    is_in_transaction_ = false;
  }
  if (database_->error()) return tl::unexpected(*database_->error());
  return {};
}

}  // namespace leash::console
