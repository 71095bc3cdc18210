#include "console/database.h"

#include <fcntl.h>
#include <sqlite3.h>

#include <utility>

#include "base/fd.h"

namespace leash::console {
namespace {

constexpr int kStepsBetweenLooks = 2'000;
constexpr int kBusyMilliseconds = 5'000;

}  // namespace

Statement::Statement(Database* database, sqlite3_stmt* statement)
    : database_(database), statement_(statement) {}

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_), statement_(std::exchange(other.statement_, nullptr)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  if (this != &other) {
    sqlite3_finalize(statement_);
    database_ = other.database_;
    statement_ = std::exchange(other.statement_, nullptr);
  }
  return *this;
}

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement& Statement::bind(int index, std::int64_t value) {
  if (statement_ != nullptr) database_->note(sqlite3_bind_int64(statement_, index, value));
  return *this;
}

Statement& Statement::bind_text(int index, std::string_view value) {
  if (statement_ != nullptr) {
    // An empty view may have no bytes, which SQLite would take for NULL.
    const char* bytes = value.data() != nullptr ? value.data() : "";
    database_->note(
        sqlite3_bind_text64(statement_, index, bytes, value.size(), SQLITE_STATIC, SQLITE_UTF8));
  }
  return *this;
}

Statement& Statement::bind_blob(int index, std::string_view value) {
  if (statement_ != nullptr) {
    const char* bytes = value.data() != nullptr ? value.data() : "";
    database_->note(sqlite3_bind_blob64(statement_, index, bytes, value.size(), SQLITE_STATIC));
  }
  return *this;
}

bool Statement::step() {
  if (statement_ == nullptr || database_->error_) return false;
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) database_->note_statement(code);
  return false;
}

void Statement::run() {
  while (step()) {
  }
  reset();
}

void Statement::reset() {
  if (statement_ != nullptr) sqlite3_reset(statement_);
}

std::int64_t Statement::integer(int column) const {
  return statement_ == nullptr ? 0 : sqlite3_column_int64(statement_, column);
}

double Statement::real(int column) const {
  return statement_ == nullptr ? 0 : sqlite3_column_double(statement_, column);
}

std::string_view Statement::bytes(int column) const {
  if (statement_ == nullptr) return {};
  const void* bytes = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  if (bytes == nullptr || size <= 0) return {};
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

Database::Database(sqlite3* handle) : handle_(handle) {}

Database::~Database() { sqlite3_close_v2(handle_); }

base::Result<std::unique_ptr<Database>> Database::open(const std::string& path, Mode mode) {
  const bool is_writer = mode == Mode::kWrite;
  // SQLite would make it by the umask, and its companions with the mode of the file.
  if (is_writer) base::Fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
                    (is_writer ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  std::unique_ptr<Database> database(new Database(handle));
  if (code != SQLITE_OK) {
    return base::fail(base::Code::kIo, base::Fault::kProxy, path + ": " + sqlite3_errstr(code));
  }
  sqlite3_busy_timeout(handle, kBusyMilliseconds);
  sqlite3_progress_handler(handle, kStepsBetweenLooks, &Database::on_progress, database.get());
  return database;
}

void Database::execute(const char* sql) {
  if (!error_) note(sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr));
}

Statement Database::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (!error_) {
    const int code = sqlite3_prepare_v2(handle_, sql, -1, &statement, nullptr);
    note_statement(code);
  }
  return Statement(this, statement);
}

std::int64_t Database::last_rowid() const { return sqlite3_last_insert_rowid(handle_); }

void Database::set_deadline(std::optional<std::chrono::steady_clock::time_point> deadline) {
  deadline_ = deadline;
}

bool Database::is_past_deadline() const {
  return deadline_ && std::chrono::steady_clock::now() >= *deadline_;
}

void Database::note(int code) {
  if (code == SQLITE_OK || error_) return;
  const int kind = code & 0xff;
  if (kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB) is_damaged_ = true;
  const bool is_timeout = kind == SQLITE_INTERRUPT;
  error_ = base::Error{
      is_timeout ? base::Code::kTimeout : base::Code::kIo, base::Fault::kProxy,
      is_timeout ? "the query took too long" : std::string("index: ") + sqlite3_errmsg(handle_)};
}

void Database::note_statement(int code) {
  note(code);
  // Our own words are right: the tables are others than ours, or there are none (a file that was
  // cut to nothing is a good database).
  if (code == SQLITE_ERROR) is_damaged_ = true;
}

void Database::note_damage(std::string_view what) {
  if (error_) return;
  is_damaged_ = true;
  error_ = base::Error{base::Code::kIo, base::Fault::kProxy, "index: " + std::string(what)};
}

int Database::on_progress(void* self) noexcept {
  return static_cast<Database*>(self)->is_past_deadline() ? 1 : 0;
}

}  // namespace leash::console
