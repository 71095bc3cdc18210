#include "audit/log_writer.h"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "audit/chain.h"
#include "audit/checkpoint.h"
#include "audit/json_text.h"
#include "audit/log_file.h"
#include "base/text.h"

namespace leash::audit {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBatchLines = 1024;
constexpr std::size_t kBatchBytes = 1024 * 1024;
// What a queued line costs beside its text.
constexpr std::size_t kItemBytes = 128;

base::Error unavailable(std::string detail) {
  return {base::Code::kAuditUnavailable, base::Fault::kProxy, std::move(detail)};
}

struct Item {
  enum class Kind {
    kLine,
    kRefused,  // only its Done is to be called, in its turn
    kCheckpoint,
  };
  Kind kind = Kind::kLine;
  std::string text;  // the line; why it was refused
  LogWriter::Done done;

  [[nodiscard]] std::size_t cost() const {
    return kind == Kind::kLine ? text.size() + kItemBytes : 0;
  }
};

void append_torn(std::string& out, const TornPiece& torn) {
  append_key(out, "torn_bytes");
  append_number(out, torn.bytes);
  append_key(out, "torn");
  append_string(out, torn.start);
  if (torn.is_kept) {
    append_key(out, "torn_kept");
    out.append("true");
  }
}

}  // namespace

struct LogWriter::Impl {
  explicit Impl(Options given)
      : options(std::move(given)),
        file(options.path, options.fs,
             options.durability == Durability::kSync ? LogFile::SyncDirectory::kYes
                                                     : LogFile::SyncDirectory::kNo) {}

  // Any thread.
  void append(const Record& record, Done done);
  void refuse(Done done, const char* why);
  void wake(bool Impl::*flag);

  // The writer's thread; before it starts, the opener's.
  base::Result<void> open_first();
  void start();
  void run();
  void take_queue();  // with the mutex held
  void work(bool is_last);
  bool ensure_open();
  bool write_batch();
  void compose();
  void commit(std::size_t bytes, const base::Result<void>& answer);
  void settle(Item& item, const base::Result<void>& answer);
  void go_down(const std::string& why);
  void go_up();
  void fail_waiting();
  void add_checkpoint_if_due(bool is_last);

  Options options;

  std::mutex mutex;
  std::condition_variable wakeup;
  std::deque<Item> queue;        // guarded by mutex
  std::size_t queued_bytes = 0;  // guarded by mutex; of queue and pending
  bool is_stopping = false;      // guarded by mutex
  bool wants_reopen = false;     // guarded by mutex
  std::atomic<bool> writable{false};
  std::atomic<std::uint64_t> lines{0}, bytes{0}, refused{0}, lost{0}, failures{0};

  // The writer's own.
  LogFile file;
  std::deque<Item> pending;
  bool has_position = false;
  std::uint64_t seq = 0;  // of the last line in the file
  ChainValue chain{};
  std::vector<ChainValue> unsigned_lines;
  Clock::time_point checkpoint_due{};
  bool is_down = false;
  bool is_announced = false;  // that it is down
  std::string down_because;
  Clock::time_point next_try{};
  struct Entry {
    std::size_t end = 0;  // in the buffer
    std::uint64_t seq = 0;
    ChainValue chain{};
  };
  std::string buffer;
  std::vector<Entry> entries;  // one for each of the first items of `pending`
  std::vector<std::size_t> ends;

  std::thread thread;
};

void LogWriter::Impl::refuse(Done done, const char* why) {
  if (!done) {
    ++lost;
    return;
  }
  ++refused;
  if (options.durability == Durability::kAsync) {
    done(tl::unexpected(unavailable(why)));
    return;
  }
  const std::lock_guard lock(mutex);
  queue.push_back({Item::Kind::kRefused, why, std::move(done)});
  wakeup.notify_one();
}

void LogWriter::Impl::append(const Record& record, Done done) {
  if (done && !writable.load(std::memory_order_acquire)) {
    refuse(std::move(done), "the log cannot be written");
    return;
  }
  Item item{Item::Kind::kLine, render(record), {}};
  const bool is_async = options.durability == Durability::kAsync;
  if (!is_async) item.done = std::move(done);
  bool has_room = true;
  {
    const std::lock_guard lock(mutex);
    const std::size_t cost = item.cost();
    has_room = cost <= options.queue_bytes && queued_bytes <= options.queue_bytes - cost;
    if (has_room) {
      queued_bytes += cost;
      if (queue.empty()) wakeup.notify_one();
      queue.push_back(std::move(item));
    }
  }
  if (!has_room) {
    // Only what had room was moved away.
    refuse(is_async ? std::move(done) : std::move(item.done),  // NOLINT(bugprone-use-after-move)
           "the queue of the log is full");
  } else if (is_async && done) {
    done({});
  }
}

void LogWriter::Impl::wake(bool Impl::*flag) {
  const std::lock_guard lock(mutex);
  this->*flag = true;
  wakeup.notify_one();
}

base::Result<void> LogWriter::Impl::open_first() {
  auto opened = file.ensure_open();
  if (!opened && opened.error().code == base::Code::kBadConfig) return opened;
  if (opened && ensure_open()) {
    writable.store(true, std::memory_order_release);
  } else {
    go_down(opened ? "it was moved" : opened.error().detail);
  }
  return {};
}

void LogWriter::Impl::start() {
  // Signals are for the main thread; SIGXFSZ at a size limit must be an error here, not the end.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread = std::thread([this] { run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::pthread_setname_np(thread.native_handle(), "leash-audit");
}

void LogWriter::Impl::run() {
  std::unique_lock lock(mutex);
  for (;;) {
    const auto has_work = [this] { return !queue.empty() || is_stopping || wants_reopen; };
    if (is_down) {
      wakeup.wait_until(lock, next_try, has_work);
    } else if (!unsigned_lines.empty() && options.sign) {
      wakeup.wait_until(lock, checkpoint_due, has_work);
    } else {
      wakeup.wait(lock, has_work);
    }
    const bool is_last = is_stopping;
    take_queue();
    lock.unlock();
    work(is_last);
    if (is_last) return;
    lock.lock();
  }
}

void LogWriter::Impl::take_queue() {
  if (pending.empty()) {
    pending.swap(queue);
  } else {
    for (Item& item : queue) pending.push_back(std::move(item));
    queue.clear();
  }
  if (std::exchange(wants_reopen, false)) {
    file.close();
    next_try = {};
  }
}

void LogWriter::Impl::work(bool is_last) {
  if (is_down) {
    fail_waiting();
    if (!is_last && Clock::now() < next_try) return;
    // The lines kept back are the best trial; without one, the file system is asked.
    if (pending.empty()) {
      const int error = ensure_open() ? file.probe() : -1;
      if (error > 0) go_down(base::errno_text(error));
      if (error == 0) go_up();
    } else if (write_batch()) {
      go_up();
    }
  } else if (pending.empty() && !ensure_open()) {  // after reopen()
    return;
  }
  while (!is_down) {
    add_checkpoint_if_due(is_last && pending.empty());
    if (pending.empty() || !write_batch()) break;
  }
  if (is_last) {
    fail_waiting();
    lost += pending.size();
  }
}

bool LogWriter::Impl::ensure_open() {
  if (auto opened = file.ensure_open(); !opened) {
    go_down(opened.error().detail);
    return false;
  }
  if (!has_position) {
    const LogTail& tail = *file.tail();
    seq = tail.seq;
    chain = tail.chain;
    if (options.sign) unsigned_lines = tail.unsigned_lines;
    checkpoint_due = Clock::now() + options.checkpoint_interval;
    has_position = true;
  }
  return true;
}

// Numbers, chains and concatenates the next lines; the chain as it would be goes into `entries`.
void LogWriter::Impl::compose() {
  buffer.clear();
  entries.clear();
  ends.clear();
  Entry state{0, seq, chain};
  for (const Item& item : pending) {
    if (entries.size() == kBatchLines || buffer.size() >= kBatchBytes) break;
    // Alone: it clears the list of the lines that wait for one.
    if (item.kind == Item::Kind::kCheckpoint && !entries.empty()) break;
    if (item.kind != Item::Kind::kRefused) {
      const std::size_t start = buffer.size();
      buffer.append(item.text);
      if (start == 0 && file.torn() && item.kind == Item::Kind::kLine) {
        append_torn(buffer, *file.torn());
      }
      ++state.seq;
      state.chain = finish_line(buffer, start, state.seq, state.chain);
      state.end = buffer.size();
    }
    entries.push_back(state);
    ends.push_back(state.end);
    if (item.kind == Item::Kind::kCheckpoint) break;
  }
}

bool LogWriter::Impl::write_batch() {
  if (!ensure_open()) return false;
  compose();
  LogFile::Appended appended;
  std::string why;
  if (!buffer.empty()) {
    appended = file.append(buffer, ends);
    if (appended.error != 0) why = base::errno_text(appended.error);
  }
  base::Result<void> answer{};
  if (options.durability == Durability::kSync && appended.bytes > 0) {
    if (const int error = file.sync(); error != 0) {
      why = base::errno_text(error);
      answer = tl::unexpected(unavailable("the log cannot be synced"));
      // Lines that cannot be taken out again stay in the chain: more on record than was let go.
      if (file.take_back()) appended.bytes = 0;
    }
  }
  // Before the answers: whoever hears that a line failed shall find the log unwritable.
  if (!why.empty()) writable.store(false, std::memory_order_release);
  commit(appended.bytes, answer);
  if (buffer.capacity() > 4 * kBatchBytes) std::string().swap(buffer);
  if (why.empty()) return true;
  go_down(why);
  return false;
}

// The items whose lines end within the first `bytes` of the buffer are in the file.
void LogWriter::Impl::commit(std::size_t bytes_written, const base::Result<void>& answer) {
  std::vector<Item> done;
  std::size_t cost = 0;
  std::uint64_t count = 0;
  bool is_checkpoint_done = false;
  for (const Entry& entry : entries) {
    if (entry.end > bytes_written) break;
    Item& item = pending.front();
    cost += item.cost();
    if (item.kind != Item::Kind::kRefused) {
      seq = entry.seq;
      chain = entry.chain;
      ++count;
    }
    if (item.kind == Item::Kind::kLine && options.sign) {
      if (unsigned_lines.empty()) checkpoint_due = Clock::now() + options.checkpoint_interval;
      unsigned_lines.push_back(chain);
    }
    is_checkpoint_done = is_checkpoint_done || item.kind == Item::Kind::kCheckpoint;
    if (item.kind == Item::Kind::kLine) std::string().swap(item.text);
    if (item.done) done.push_back(std::move(item));
    pending.pop_front();
  }
  if (is_checkpoint_done) unsigned_lines.clear();
  if (count > 0) {
    if (!is_checkpoint_done) file.torn_is_told();
    if (is_announced) {
      is_announced = false;
      spdlog::warn("audit log {} is written again", options.path);
    }
    lines += count;
    bytes += bytes_written;
    const std::lock_guard lock(mutex);
    queued_bytes -= cost;
  }
  for (Item& item : done) settle(item, answer);
}

void LogWriter::Impl::settle(Item& item, const base::Result<void>& answer) {
  const Done done = std::exchange(item.done, {});
  if (!done) return;
  if (item.kind == Item::Kind::kRefused) {
    done(tl::unexpected(unavailable(item.text)));
    return;
  }
  if (!answer) ++refused;
  done(answer);
}

void LogWriter::Impl::go_down(const std::string& why) {
  writable.store(false, std::memory_order_release);
  ++failures;
  next_try = Clock::now() + options.retry;
  is_down = true;
  down_because = why;
  if (!is_announced) {
    is_announced = true;
    spdlog::warn("audit log {} cannot be written, new requests are refused: {}", options.path, why);
  }
  fail_waiting();
}

void LogWriter::Impl::go_up() {
  is_down = false;
  writable.store(true, std::memory_order_release);
}

// A line that was refused must never get into the log; one that nobody waits for may still.
void LogWriter::Impl::fail_waiting() {
  std::deque<Item> kept;
  std::size_t cost = 0;
  std::vector<Item> failed;
  for (Item& item : pending) {
    if (item.kind == Item::Kind::kLine && !item.done) {
      kept.push_back(std::move(item));
    } else if (item.done) {
      cost += item.cost();
      failed.push_back(std::move(item));
    }
  }
  pending = std::move(kept);
  {
    const std::lock_guard lock(mutex);
    queued_bytes -= cost;
  }
  const base::Result<void> answer = tl::unexpected(unavailable(down_because));
  for (Item& item : failed) settle(item, answer);
}

void LogWriter::Impl::add_checkpoint_if_due(bool is_last) {
  if (!options.sign || unsigned_lines.empty()) return;
  const bool is_due = is_last || unsigned_lines.size() >= options.checkpoint_lines ||
                      Clock::now() >= checkpoint_due;
  if (!is_due) return;
  const double now = unix_seconds(std::chrono::system_clock::now());
  pending.push_front({Item::Kind::kCheckpoint,
                      render_checkpoint(now, seq + 1 - unsigned_lines.size(), unsigned_lines,
                                        options.key_id, options.sign),
                      {}});
}

LogWriter::LogWriter() = default;

base::Result<std::unique_ptr<LogWriter>> LogWriter::open(Options options) {
  std::unique_ptr<LogWriter> writer(new LogWriter);
  writer->impl_ = std::make_unique<Impl>(std::move(options));
  if (auto opened = writer->impl_->open_first(); !opened) return tl::unexpected(opened.error());
  writer->impl_->start();
  return writer;
}

LogWriter::~LogWriter() {
  if (impl_ == nullptr || !impl_->thread.joinable()) return;
  impl_->wake(&Impl::is_stopping);
  impl_->thread.join();
}

void LogWriter::append(const Record& record, Done done) { impl_->append(record, std::move(done)); }

void LogWriter::reopen() { impl_->wake(&Impl::wants_reopen); }

bool LogWriter::is_writable() const { return impl_->writable.load(std::memory_order_acquire); }

LogWriter::Counts LogWriter::counts() const {
  return {impl_->lines, impl_->bytes, impl_->refused, impl_->lost, impl_->failures};
}

}  // namespace leash::audit
