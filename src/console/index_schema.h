// The tables of the index.
#pragma once

#include <cstdint>
#include <string>

namespace leash::console {

// Another version on disk is thrown away: the log has it all.
inline constexpr std::int64_t kIndexVersion = 3;

[[nodiscard]] inline std::string index_path(const std::string& state_dir) {
  return state_dir + "/index.db";
}

// Before any table is made.
inline constexpr const char* kIndexPragmas = R"sql(
  PRAGMA page_size = 16384;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA cache_size = -32768;
  PRAGMA temp_store = MEMORY;
  PRAGMA wal_autocheckpoint = 2000;
)sql";

// Each blob has its sum behind it (checked_bytes.h). Those of one block are in tables of their own:
// to get at a column of a SQLite row that comes after a large one, the large one's pages are
// walked.
inline constexpr const char* kIndexTables = R"sql(
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS file (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, path TEXT NOT NULL, done INTEGER NOT NULL,
    is_whole INTEGER NOT NULL DEFAULT 0, is_gone INTEGER NOT NULL DEFAULT 0);
  CREATE TABLE IF NOT EXISTS name (id INTEGER PRIMARY KEY, value BLOB NOT NULL UNIQUE);
  CREATE TABLE IF NOT EXISTS text (id INTEGER PRIMARY KEY, value BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS text_chunk (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, bytes BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS block (
    id INTEGER PRIMARY KEY, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL,
    first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, rows INTEGER NOT NULL,
    file INTEGER NOT NULL, events INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS block_summary (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS block_hot (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS block_volume (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS block_cold (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS block_ids (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
)sql";

}  // namespace leash::console
