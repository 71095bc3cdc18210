// SQLite with owners and a memory for the first error. The only file that includes sqlite3.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace leash::console {

class Database;

// A prepared statement. Where something fails, its database knows; the statement then behaves as
// one without rows.
class Statement {
 public:
  Statement() = default;
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(int index, std::int64_t value);
  Statement& bind_text(int index, std::string_view value);  // the bytes must outlive the run
  Statement& bind_blob(int index, std::string_view value);
  // True: there is a row to look at.
  bool step();
  // Runs to the end and makes ready for the next run.
  void run();
  void reset();

  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] double real(int column) const;
  [[nodiscard]] std::string_view bytes(int column) const;  // until the next step

 private:
  friend class Database;
  Statement(Database* database, sqlite3_stmt* statement);
  Database* database_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
};

// One connection, for one thread at a time.
class Database {
 public:
  enum class Mode { kWrite, kRead };
  // Makes the file (0600) where kWrite finds none. Errors: io.
  [[nodiscard]] static base::Result<std::unique_ptr<Database>> open(const std::string& path,
                                                                    Mode mode);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void execute(const char* sql);
  [[nodiscard]] Statement prepare(const char* sql);
  [[nodiscard]] std::int64_t last_rowid() const;

  // Statements that run past it end with a timeout.
  void set_deadline(std::optional<std::chrono::steady_clock::time_point> deadline);
  [[nodiscard]] bool is_past_deadline() const;

  // The first error since clear_error(); later calls have done nothing. timeout: the deadline.
  [[nodiscard]] const std::optional<base::Error>& error() const { return error_; }
  void clear_error() { error_.reset(); }
  // The file is no database of ours, or is damaged: from then on, whatever is cleared.
  [[nodiscard]] bool is_damaged() const { return is_damaged_; }
  // What is read from it is not as it was written.
  void note_damage(std::string_view what);

 private:
  friend class Statement;
  explicit Database(sqlite3* handle);
  void note(int code);
  void note_statement(int code);  // of one that was prepared, or was to be
  static int on_progress(void* self) noexcept;

  sqlite3* handle_ = nullptr;
  std::optional<std::chrono::steady_clock::time_point> deadline_;
  std::optional<base::Error> error_;
  bool is_damaged_ = false;
};

}  // namespace leash::console
