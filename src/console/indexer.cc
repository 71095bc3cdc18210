#include "console/indexer.h"

#include <sys/resource.h>

#include <utility>

#include "base/log.h"

namespace leash::console {
namespace {

constexpr std::size_t kRoundLines = 16'384;
constexpr std::size_t kMostToldAtOnce = 5'000;
constexpr std::chrono::milliseconds kPause{200};
constexpr std::chrono::seconds kTroublePause{2};
constexpr std::chrono::seconds kDamagePause{10};

// When this process began to look at the log.
std::int64_t started_us() {
  static const std::int64_t started = std::chrono::duration_cast<std::chrono::microseconds>(
                                          std::chrono::system_clock::now().time_since_epoch())
                                          .count();
  return started;
}

}  // namespace

Indexer::Indexer(std::string log, std::string path, OnRows on_rows)
    : log_(std::move(log)), path_(std::move(path)), on_rows_(std::move(on_rows)) {
  static_cast<void>(started_us());
  thread_ = std::thread([this] { run(); });
}

Indexer::~Indexer() {
  {
    const std::scoped_lock lock(mutex_);
    is_stopping_ = true;
  }
  wakeup_.notify_all();
  thread_.join();
}

IndexStatus Indexer::status() const {
  const std::scoped_lock lock(mutex_);
  return status_;
}

void Indexer::rebuild() {
  {
    const std::scoped_lock lock(mutex_);
    is_rebuild_wanted_ = true;
  }
  wakeup_.notify_all();
}

void Indexer::replace(std::uint64_t generation, const std::string& why) {
  std::unique_lock lock(mutex_);
  const auto is_over = [&] { return is_stopping_ || status_.generation != generation; };
  if (is_over()) return;
  if (!is_being_made_) {  // else it is about the index before
    damage_ = why;
    is_rebuild_wanted_ = true;
    wakeup_.notify_all();
  }
  wakeup_.wait_for(lock, kReplaceTime, is_over);
}

bool Indexer::wait(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  wakeup_.wait_for(lock, time, [this] { return is_stopping_ || is_rebuild_wanted_; });
  return !is_stopping_;
}

void Indexer::run() {
  while (!is_stopping_) {
    work();
    if (!is_stopping_ && !is_rebuild_wanted_) wait(kTroublePause);
  }
}

void Indexer::publish(const IndexWriter& writer, const LogFeed& feed, bool is_ready) {
  const std::scoped_lock lock(mutex_);
  status_.counts = writer.counts();
  status_.bytes_done = feed.bytes_done();
  status_.bytes_total = feed.bytes_total();
  status_.is_ready = is_ready;
  status_.trouble.clear();
}

void Indexer::tell_trouble(const std::string& text) {
  const std::scoped_lock lock(mutex_);
  if (status_.trouble != text) spdlog::error("index: {}", text);
  status_.trouble = text;
}

// True: there is more to read at once.
base::Result<bool> Indexer::round(IndexWriter& writer, LogFeed& feed) {
  if (auto looked = feed.look(); !looked) return tl::unexpected(looked.error());
  std::vector<Row> rows;
  // What was there at the start is no news; what has happened since is, also while the rest is
  // still being read.
  const bool tells = status().is_ready;
  auto more = feed.read(kRoundLines, [&](const LogFeed::Line& line) {
    std::uint64_t log_seq = 0;
    auto row = read_row(line.text, log_seq);
    if (!row) {
      writer.skip_line();
      return;
    }
    writer.add(*row, log_seq, line.file, line.position);
    // Whoever watches cannot take them all anyway: those that are left out show as a gap.
    if (!tells && row->time_us < started_us()) return;
    if (rows.size() == kMostToldAtOnce)
      rows.erase(rows.begin(), rows.begin() + kMostToldAtOnce / 2);
    rows.push_back(std::move(*row));
  });
  if (auto done = writer.commit(); !done) return tl::unexpected(done.error());
  if (!more) {
    // A damaged file beside the log: the others go on.
    spdlog::warn("index: {}", more.error().text());
    return false;
  }
  publish(writer, feed, !*more);
  if (!rows.empty()) on_rows_(std::move(rows));
  return more;
}

// Returns what was.
bool Indexer::set_being_made(bool is_being_made) {
  const std::scoped_lock lock(mutex_);
  return std::exchange(is_being_made_, is_being_made);
}

// False: this process ends.
bool Indexer::begin_anew() {
  std::unique_lock lock(mutex_);
  if (damage_.empty()) {
    spdlog::info("making the index anew");
  } else {
    spdlog::warn("the index is damaged ({}); it is made anew from the log", damage_);
    // A disk that damages it again and again shall not keep a core busy.
    const auto soonest = replaced_ + kDamagePause;
    wakeup_.wait_until(lock, soonest, [this] { return is_stopping_.load(); });
    if (is_stopping_) return false;
    replaced_ = std::chrono::steady_clock::now();
    damage_.clear();
  }
  is_rebuild_wanted_ = false;
  is_being_made_ = true;
  status_.is_ready = false;
  status_.counts = {};
  status_.bytes_done = 0;
  IndexWriter::remove(path_);
  return true;
}

void Indexer::work() {
  if (is_rebuild_wanted_ && !begin_anew()) return;
  const bool was_being_made = set_being_made(true);  // open() replaces what it finds damaged
  auto writer = IndexWriter::open(path_);
  if (!writer) {
    set_being_made(was_being_made);
    tell_trouble(writer.error().text());
    return;
  }
  {
    const std::scoped_lock lock(mutex_);
    is_being_made_ = false;
    ++status_.generation;
  }
  wakeup_.notify_all();
  LogFeed feed(log_, **writer);
  while (!is_stopping_ && !is_rebuild_wanted_) {
    const auto more = round(**writer, feed);
    const bool is_gone = !(*writer)->is_in_place();
    if (is_gone || (*writer)->is_damaged()) {
      const std::scoped_lock lock(mutex_);
      damage_ = is_gone || more ? "its file has been deleted" : more.error().detail;
      is_rebuild_wanted_ = true;
      return;
    }
    if (!more) {
      tell_trouble(more.error().text());
      return;
    }
    if (!*more && !wait(kPause)) return;
  }
}

}  // namespace leash::console
