#include "audit/log_writer.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "audit/chain.h"
#include "audit/checkpoint.h"
#include "audit/json_text.h"
#include "audit/log_archive.h"
#include "audit/log_file.h"
#include "audit/log_tail.h"
#include "audit/quiet_thread.h"
#include "audit/rotated_log.h"
#include "audit/rotated_name.h"
#include "base/text.h"

namespace leash::audit {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBatchLines = 1024;
constexpr std::size_t kBatchBytes = 1024 * 1024;
// What a queued line costs beside its text.
constexpr std::size_t kItemBytes = 128;
// For so many items a queue that is empty again keeps its room.
constexpr std::size_t kKeptItems = 4 * kBatchLines;
// Room for lines that goes back to who appends, so that not each one is allocated by one thread and
// freed by another: so many strings of at most so many bytes.
constexpr std::size_t kSpares = 256;
constexpr std::size_t kSpareBytes = 4096;
// How often a writer that has nothing to write looks at what the other one has.
constexpr std::chrono::milliseconds kSharedLook{500};
// For the turn, while the log is down.
constexpr std::chrono::milliseconds kTurnRetry{10};
constexpr const char* kKept = "the other process that writes the log does not let go of it";
// After a rotation that did not work.
constexpr std::chrono::seconds kRotationRetry{10};

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
  void append(const Record& record, Done done, Wake when);
  void refuse(Done done, const char* why);
  void wake(bool Impl::*flag);

  // The writer's thread; before it starts, the opener's.
  base::Result<void> open_first();
  void start();
  void make_archive();
  void run();
  void wait(std::unique_lock<std::mutex>& lock, bool has_worked);
  void take_queue();  // with the mutex held
  void work(bool is_last);
  void write_all(bool is_last);
  void change_standing(bool is_current);
  bool write_in_turn(bool is_last);
  bool catch_up();
  void follow(const std::string& news);
  void offer_news(std::uint64_t first, std::string_view text) const;
  void take_position();
  void reopen_if_asked();
  [[nodiscard]] bool is_behind() const;
  bool ensure_open();
  bool write_batch();
  void compose();
  void commit(std::size_t bytes, const base::Result<void>& answer);
  void spare(std::string text);
  void feed_sinks(std::size_t bytes_written, std::uint64_t first) const;
  void settle(Item& item, const base::Result<void>& answer);
  void go_down(const std::string& why);
  void go_up();
  void fail_waiting();
  void await_checkpoint();
  void add_checkpoint_if_due(bool is_last);
  [[nodiscard]] bool is_rotation_due() const;
  void rotate_if_due();

  Options options;

  std::mutex mutex;
  std::condition_variable wakeup;
  std::vector<Item> queue;          // guarded by mutex
  std::vector<std::string> spares;  // guarded by mutex; empty, with room
  bool is_wanted = false;           // guarded by mutex; a line is queued that somebody waits for
  bool is_asleep = false;           // guarded by mutex; until it is told that there is a line
  bool is_stopping = false;         // guarded by mutex
  bool wants_reopen = false;        // guarded by mutex
  struct Change {
    Standing standing;
    std::function<void()> done;
  };
  std::optional<Change> wanted;  // guarded by mutex; only the last one counts
  std::atomic<bool> writable{false};
  std::atomic<std::uint64_t> lines{0}, bytes{0}, refused{0}, lost{0}, failures{0};
  std::atomic<std::size_t> queued_bytes{0};  // of queue and pending; grows with the mutex held only

  // The writer's own.
  LogFile file;
  std::vector<Item> taken;  // from the queue; empty but while it is taken
  std::deque<Item> pending;
  std::vector<std::string> emptied;  // spares to be
  std::vector<Item> answered;        // commit()'s, kept for its room
  bool has_position = false;
  std::uint64_t seq = 0;  // of the last line in the file
  ChainValue chain{};
  std::vector<ChainValue> unsigned_lines;
  Clock::time_point checkpoint_due{};
  bool is_shared = false;
  std::optional<Change> change;  // what was wanted last, until it is so
  bool is_reopening = false;
  std::unique_ptr<LogArchive> archive;  // where leash rotates, and this process does it
  bool feeds = true;                    // the sinks
  Clock::time_point next_rotation{};
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
  {
    const std::lock_guard lock(mutex);
    queue.push_back({Item::Kind::kRefused, why, std::move(done)});
    is_wanted = true;
  }
  wakeup.notify_one();
}

void LogWriter::Impl::append(const Record& record, Done done, Wake when) {
  if (done && !writable.load(std::memory_order_acquire)) {
    refuse(std::move(done), "the log cannot be written");
    return;
  }
  thread_local std::string room;
  Item item{Item::Kind::kLine, std::exchange(room, {}), {}};
  render(record, item.text);
  const bool is_async = options.durability == Durability::kAsync;
  if (!is_async) item.done = std::move(done);
  bool has_room = true;
  bool is_called = false;
  {
    const std::lock_guard lock(mutex);
    const std::size_t cost = item.cost();
    has_room = cost <= options.queue_bytes && queued_bytes <= options.queue_bytes - cost;
    if (has_room) {
      queued_bytes += cost;
      const bool is_waited_for = item.done != nullptr && when == Wake::kNow;
      if (is_waited_for || is_asleep) is_called = !std::exchange(is_wanted, true);
      queue.push_back(std::move(item));
      if (!spares.empty()) {
        room = std::move(spares.back());
        spares.pop_back();
      }
    }
  }
  // Without the mutex, which who wakes up takes first.
  if (is_called) wakeup.notify_one();
  if (!has_room) {
    // Only what had room was moved away.
    refuse(is_async ? std::move(done) : std::move(item.done),  // NOLINT(bugprone-use-after-move)
           "the queue of the log is full");
  } else if (is_async && done) {
    done({});
  }
}

void LogWriter::Impl::wake(bool Impl::*flag) {
  bool was_set = false;
  {
    const std::lock_guard lock(mutex);
    was_set = std::exchange(this->*flag, true);
  }
  if (!was_set) wakeup.notify_one();
}

base::Result<void> LogWriter::Impl::open_first() {
  is_shared = options.is_shared && options.turn != nullptr;
  const auto hold = is_shared ? options.turn->take(options.turn_patience) : std::nullopt;
  // No start with a log that is down: the other process serves until this one does.
  if (is_shared && !hold) return base::fail(base::Code::kIo, base::Fault::kProxy, kKept);
  auto opened = file.ensure_open();
  file.mark_known();
  if (!opened && opened.error().code == base::Code::kBadConfig) return opened;
  if (opened && ensure_open()) {
    writable.store(true, std::memory_order_release);
  } else {
    go_down(opened ? "it was moved" : opened.error().detail);
  }
  return {};
}

void LogWriter::Impl::start() {
  make_archive();
  thread = quiet_thread("leash-audit", [this] { run(); });
}

void LogWriter::Impl::make_archive() {
  if (options.rotate_bytes == 0 || archive != nullptr) return;
  archive = std::make_unique<LogArchive>(options.path, options.rotate_keep);
}

void LogWriter::Impl::run() {
  std::unique_lock lock(mutex);
  bool has_worked = false;
  for (;;) {
    wait(lock, has_worked);
    has_worked = !queue.empty();
    const bool is_last = is_stopping;
    take_queue();
    lock.unlock();
    for (Item& item : taken) pending.push_back(std::move(item));
    taken.clear();
    if (taken.capacity() > kKeptItems) taken.shrink_to_fit();  // a backlog has gone by
    work(is_last);
    if (is_last) return;
    lock.lock();
  }
}

// Most lines come in pairs, an intent and soon its outcome, and each sleep and waking costs more
// than the line: after work the writer looks again by itself before it sleeps until it is called.
void LogWriter::Impl::wait(std::unique_lock<std::mutex>& lock, bool has_worked) {
  const auto is_called = [this] { return is_wanted || is_stopping || wants_reopen || wanted; };
  if (is_down) {
    is_asleep = true;
    wakeup.wait_until(lock, next_try, is_called);
  } else {
    if (has_worked || !queue.empty()) wakeup.wait_for(lock, kLinger, is_called);
    if (queue.empty() && !is_called()) {
      is_asleep = true;
      if (is_shared) {
        wakeup.wait_for(lock, kSharedLook, is_called);
      } else if (!unsigned_lines.empty() && options.sign) {
        wakeup.wait_until(lock, checkpoint_due, is_called);
      } else {
        wakeup.wait(lock, is_called);
      }
    }
  }
  is_asleep = false;
}

void LogWriter::Impl::take_queue() {
  taken.swap(queue);
  const std::size_t wanted_spares = kSpares - std::min(kSpares, spares.size());
  emptied.resize(std::min(emptied.size(), wanted_spares));
  std::move(emptied.begin(), emptied.end(), std::back_inserter(spares));
  emptied.clear();
  is_wanted = false;
  if (std::exchange(wants_reopen, false)) {
    is_reopening = true;
    next_try = {};
  }
  if (wanted) change = std::exchange(wanted, std::nullopt);
}

void LogWriter::Impl::work(bool is_last) {
  bool is_current = true;
  if (is_shared) {
    is_current = write_in_turn(is_last);
  } else {
    reopen_if_asked();
    write_all(is_last);
  }
  change_standing(is_current);
}

// False: nothing could be written, and where the log stands is not known.
bool LogWriter::Impl::write_in_turn(bool is_last) {
  bool is_current = false;
  if (is_last || !is_down || Clock::now() >= next_try) {
    // One that is down answers those who wait meanwhile, so it does not wait itself.
    const auto hold = options.turn->take(is_down ? kTurnRetry : options.turn_patience);
    if (!hold) go_down(kKept);
    is_current = hold && catch_up();
    if (is_current) {
      reopen_if_asked();
      write_all(is_last);
      file.mark_known();
    }
  }
  if (!is_current) {
    fail_waiting();
    if (is_last) lost += pending.size();
  }
  return is_current;
}

// Behind what the other process has written to the file as it is: that might not be found again.
void LogWriter::Impl::reopen_if_asked() {
  if (std::exchange(is_reopening, false)) file.close();
}

// With all that was written before in the file, so that the other process finds it there.
void LogWriter::Impl::change_standing(bool is_current) {
  if (!change) return;
  const bool is_alone = change->standing == Standing::kAlone;
  if (is_alone && !is_current) return;  // what the others wrote last comes first
  const Change now = std::move(*change);
  change.reset();
  if (!is_shared) file.mark_known();
  is_shared = !is_alone;
  feeds = now.standing != Standing::kReplaced;
  if (feeds) {
    make_archive();
  } else {
    archive.reset();  // two that rotate and pack would get in each other's way
  }
  if (now.done) now.done();
}

// With the turn. False: there is more that could not be read, so the log is down.
bool LogWriter::Impl::catch_up() {
  auto news = file.catch_up();
  take_position();
  if (has_position) follow(news.text);
  if (news.error) {
    go_down(news.error->detail);
    return false;
  }
  if (!has_position) return true;
  auto tail = std::move(news.tail);
  const bool is_gone = news.is_emptied && news.text.empty();
  if (!tail && (is_gone || news.is_moved)) {
    // Whole files may have gone by behind what was read. One that is packed meanwhile can be
    // missed, but once.
    for (int look = 0; look < 2 && (!tail || tail->seq <= seq); ++look) {
      if (is_gone || is_behind()) tail = tail_of_rotated(options.path);
    }
  }
  if (tail && tail->seq > seq) {
    seq = tail->seq;
    chain = tail->chain;
    unsigned_lines = options.sign ? tail->unsigned_lines : std::vector<ChainValue>();
  }
  return true;
}

// The names of the files that leash has rotated tell whether lines went by unseen.
bool LogWriter::Impl::is_behind() const {
  const auto files = rotated_files(options.path);
  return !files.empty() && files.back().last_seq > seq;
}

// Where the chain stands after lines of the other process. What is known already is left out: a
// file that is opened anew, or an older one in its place, is read from its beginning.
void LogWriter::Impl::follow(const std::string& news) {
  std::uint64_t first = 0;  // of the lines without a gap that begin at `start`; 0: there are none
  std::size_t start = 0;
  bool has_gap = false;
  std::size_t end = 0;
  for (std::size_t begin = 0; begin < news.size(); begin = end) {
    end = std::min(news.find('\n', begin), news.size() - 1) + 1;
    const std::string_view line(news.data() + begin, end - begin - 1);
    const auto chained = split_line(line);
    if (!chained || chained->seq <= seq) continue;
    if (first == 0) start = begin;
    if (chained->seq != seq + 1) {
      // Lines have gone by unseen.
      if (first != 0) offer_news(first, std::string_view(news).substr(start, begin - start));
      first = 0;
      start = begin;
      has_gap = true;
      unsigned_lines.clear();
    }
    if (first == 0) first = chained->seq;
    seq = chained->seq;
    chain = chained->chain;
    if (!options.sign) continue;
    if (is_checkpoint(line)) {
      unsigned_lines.clear();
      continue;
    }
    if (unsigned_lines.empty()) checkpoint_due = Clock::now() + options.checkpoint_interval;
    unsigned_lines.push_back(chained->chain);
  }
  if (first != 0) offer_news(first, std::string_view(news).substr(start));
  if (!has_gap || !options.sign) return;
  // As at a start: the file tells which lines wait for a checkpoint, those unseen among them.
  const auto tail = file.look();
  if (tail && tail->seq == seq) unsigned_lines = tail->unsigned_lines;
}

void LogWriter::Impl::offer_news(std::uint64_t first, std::string_view text) const {
  if (!feeds) return;
  const auto batch = std::make_shared<const LineBatch>(LineBatch{first, seq, std::string(text)});
  for (const auto& sink : options.sinks) {
    if (sink->wants()) sink->offer(batch);
  }
}

void LogWriter::Impl::write_all(bool is_last) {
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
    if (!is_last) rotate_if_due();  // an ended process leaves a log where it is looked for
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
  take_position();
  return true;
}

// The first time that the file is open.
void LogWriter::Impl::take_position() {
  if (has_position || !file.tail()) return;
  const LogTail& tail = *file.tail();
  seq = tail.seq;
  chain = tail.chain;
  if (options.sign) unsigned_lines = tail.unsigned_lines;
  await_checkpoint();
  has_position = true;
}

// A log that has no checkpoint at all gets one at once: from then on one without any is none of
// leash's.
void LogWriter::Impl::await_checkpoint() {
  checkpoint_due = Clock::now();
  if (unsigned_lines.size() < seq) checkpoint_due += options.checkpoint_interval;
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
  std::size_t cost = 0;
  std::uint64_t count = 0;
  const std::uint64_t first = seq + 1;
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
      unsigned_lines.push_back(chain);
      if (unsigned_lines.size() == 1) await_checkpoint();
    }
    is_checkpoint_done = is_checkpoint_done || item.kind == Item::Kind::kCheckpoint;
    if (item.kind == Item::Kind::kLine) spare(std::exchange(item.text, {}));
    if (item.done) answered.push_back(std::move(item));
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
    queued_bytes -= cost;
  }
  for (Item& item : answered) settle(item, answer);
  answered.clear();
  if (count > 0) feed_sinks(bytes_written, first);
}

void LogWriter::Impl::spare(std::string text) {
  if (emptied.size() == kSpares || text.capacity() > kSpareBytes) return;
  text.clear();
  emptied.push_back(std::move(text));
}

// Behind the answers: whoever waits for his line does not wait for this copy.
void LogWriter::Impl::feed_sinks(std::size_t bytes_written, std::uint64_t first) const {
  if (!feeds) return;
  SharedBatch batch;
  for (const auto& sink : options.sinks) {
    if (!sink->wants()) continue;
    if (batch == nullptr) {
      batch =
          std::make_shared<const LineBatch>(LineBatch{first, seq, buffer.substr(0, bytes_written)});
    }
    sink->offer(batch);
  }
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
  queued_bytes -= cost;
  const base::Result<void> answer = tl::unexpected(unavailable(down_because));
  for (Item& item : failed) settle(item, answer);
}

void LogWriter::Impl::add_checkpoint_if_due(bool is_last) {
  if (!options.sign || unsigned_lines.empty()) return;
  const bool is_due = is_last || unsigned_lines.size() >= options.checkpoint_lines ||
                      Clock::now() >= checkpoint_due || is_rotation_due();
  if (!is_due) return;
  const double now = unix_seconds(std::chrono::system_clock::now());
  pending.push_front({Item::Kind::kCheckpoint,
                      render_checkpoint(now, seq + 1 - unsigned_lines.size(), unsigned_lines,
                                        options.key_id, options.sign),
                      {}});
}

bool LogWriter::Impl::is_rotation_due() const {
  return archive != nullptr && file.size() >= options.rotate_bytes && Clock::now() >= next_rotation;
}

// A file ends with a checkpoint, so that each can be proved without the next one.
void LogWriter::Impl::rotate_if_due() {
  if (!is_rotation_due() || (options.sign && !unsigned_lines.empty())) return;
  const std::string to = rotated_path(options.path, seq);
  if (const int error = file.rotate(to); error != 0) {
    // The lines go on where they are: a log that is too long is better than none.
    spdlog::warn("audit log {} cannot be rotated: {}", options.path, base::errno_text(error));
    next_rotation = Clock::now() + kRotationRetry;
    return;
  }
  archive->wake();
}

LogWriter::LogWriter() = default;

base::Result<std::unique_ptr<LogWriter>> LogWriter::open(Options options) {
  std::unique_ptr<LogWriter> writer(new LogWriter);
  writer->impl_ = std::make_unique<Impl>(std::move(options));
  if (auto opened = writer->impl_->open_first(); !opened) return tl::unexpected(opened.error());
  writer->impl_->start();
  return writer;
}

LogWriter::~LogWriter() { close(); }

void LogWriter::close() {
  if (impl_ == nullptr || !impl_->thread.joinable()) return;
  impl_->wake(&Impl::is_stopping);
  impl_->thread.join();
  impl_->archive.reset();
}

void LogWriter::append(const Record& record, Done done, Wake when) {
  impl_->append(record, std::move(done), when);
}

void LogWriter::wake() { impl_->wake(&Impl::is_wanted); }

void LogWriter::stand(Standing standing, std::function<void()> done) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->wanted = Impl::Change{standing, std::move(done)};
  }
  impl_->wakeup.notify_one();
}

void LogWriter::reopen() { impl_->wake(&Impl::wants_reopen); }

bool LogWriter::is_writable() const { return impl_->writable.load(std::memory_order_acquire); }

LogWriter::Counts LogWriter::counts() const {
  return {impl_->lines, impl_->bytes,    impl_->refused,
          impl_->lost,  impl_->failures, impl_->queued_bytes};
}

}  // namespace leash::audit
