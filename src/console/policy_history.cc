#include "console/policy_history.h"

#include <chrono>

#include "base/log.h"
#include "config/guarded_file.h"

namespace leash::console {
namespace {

constexpr const char* kTables = R"sql(
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS revision (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, time_us INTEGER NOT NULL, file TEXT NOT NULL,
    who TEXT NOT NULL, is_first INTEGER NOT NULL, text BLOB NOT NULL);
  CREATE INDEX IF NOT EXISTS revision_file ON revision (file, seq);
  CREATE TABLE IF NOT EXISTS setting (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
)sql";

// Each revision with the text of the one before it of the same file.
#define LEASH_REVISIONS                                                                        \
  "SELECT r.seq, r.time_us, r.file, r.who, r.text, (SELECT text FROM revision b WHERE b.file " \
  "= r.file AND b.seq < r.seq ORDER BY b.seq DESC LIMIT 1), r.seq = (SELECT max(seq) FROM "    \
  "revision n WHERE n.file = r.file) FROM revision r WHERE r.is_first = 0 "
constexpr const char* kNewest = LEASH_REVISIONS "ORDER BY r.seq DESC LIMIT ?";
constexpr const char* kOne = LEASH_REVISIONS "AND r.seq = ?";
#undef LEASH_REVISIONS

std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

base::Result<std::unique_ptr<PolicyHistory>> PolicyHistory::open(const std::string& path) {
  auto database = Database::open(path, Database::Mode::kWrite);
  if (!database) return tl::unexpected(database.error());
  (*database)->execute(kTables);
  if ((*database)->error()) {
    return base::fail(base::Code::kIo, base::Fault::kProxy,
                      path + ": " + (*database)->error()->detail);
  }
  return std::unique_ptr<PolicyHistory>(new PolicyHistory(std::move(*database)));
}

PolicyHistory::PolicyHistory(std::unique_ptr<Database> database) : database_(std::move(database)) {}

template <class T>
base::Result<T> PolicyHistory::ended(T value) {
  if (const auto error = database_->error()) {
    database_->clear_error();
    return tl::unexpected(*error);
  }
  return value;
}

std::optional<std::string> PolicyHistory::last_text(std::string_view file) {
  Statement last =
      database_->prepare("SELECT text FROM revision WHERE file = ? ORDER BY seq DESC LIMIT 1");
  last.bind_text(1, file);
  if (!last.step()) return std::nullopt;
  return std::string(last.bytes(0));
}

void PolicyHistory::note(const std::string& file, const std::string& text, const std::string& who) {
  const auto last = last_text(file);
  if (last && *last == text) return;
  database_
      ->prepare("INSERT INTO revision (time_us, file, who, is_first, text) VALUES (?, ?, ?, ?, ?)")
      .bind(1, now_us())
      .bind_text(2, file)
      .bind_text(3, who)
      .bind(4, last ? 0 : 1)
      .bind_blob(5, text)
      .run();
  database_
      ->prepare(
          "DELETE FROM revision WHERE file = ?1 AND seq <= (SELECT seq FROM revision WHERE "
          "file = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)")
      .bind_text(1, file)
      .bind(2, static_cast<std::int64_t>(kMostKept))
      .run();
}

void PolicyHistory::look(const std::string& dir, const std::string& who) {
  const std::scoped_lock lock(mutex_);
  for (const char* name : {"enforce.yaml", "blocklist.yaml", "mode"}) {
    const config::FileText file = config::read_guarded(dir, name, config::Confine::kNo, kMostBytes);
    // A file that is being written, or is no file, says nothing; one that is gone says "".
    if (file.state == config::FileText::State::kUnusable || file.is_torn) continue;
    note(name, file.text, who);
  }
  if (const auto error = database_->error()) {
    spdlog::warn("history of the policy: {}", error->text());
    database_->clear_error();
  }
}

std::vector<PolicyRevision> PolicyHistory::read(Statement& statement) {
  std::vector<PolicyRevision> out;
  while (statement.step()) {
    PolicyRevision& each = out.emplace_back();
    each.seq = static_cast<std::uint64_t>(statement.integer(0));
    each.time_us = statement.integer(1);
    each.file = statement.bytes(2);
    each.who = statement.bytes(3);
    each.after = statement.bytes(4);
    each.before = statement.bytes(5);
    each.is_newest = statement.integer(6) != 0;
  }
  return out;
}

base::Result<std::vector<PolicyRevision>> PolicyHistory::changes(std::size_t limit) {
  const std::scoped_lock lock(mutex_);
  Statement newest = database_->prepare(kNewest);
  newest.bind(1, static_cast<std::int64_t>(limit));
  return ended(read(newest));
}

base::Result<std::optional<PolicyRevision>> PolicyHistory::change(std::uint64_t seq) {
  const std::scoped_lock lock(mutex_);
  Statement one = database_->prepare(kOne);
  one.bind(1, static_cast<std::int64_t>(seq));
  std::vector<PolicyRevision> found = read(one);
  return ended(found.empty() ? std::optional<PolicyRevision>() : std::move(found.front()));
}

ClearedLog PolicyHistory::cleared() {
  const std::scoped_lock lock(mutex_);
  ClearedLog out;
  Statement all = database_->prepare("SELECT key, value FROM setting");
  while (all.step()) {
    const auto value = static_cast<std::uint64_t>(all.integer(1));
    if (all.bytes(0) == "cleared_seq") out.seq = value;
    if (all.bytes(0) == "cleared_lines") out.lines = value;
  }
  return out;
}

void PolicyHistory::set_cleared(const ClearedLog& cleared) {
  const std::scoped_lock lock(mutex_);
  const auto put = [this](const char* key, std::uint64_t value) {
    database_->prepare("INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)")
        .bind_text(1, key)
        .bind(2, static_cast<std::int64_t>(value))
        .run();
  };
  put("cleared_seq", cleared.seq);
  put("cleared_lines", cleared.lines);
  database_->clear_error();
}

}  // namespace leash::console
