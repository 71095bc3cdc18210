#include "audit/log_turn.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <atomic>
#include <map>

#include "audit/checkpoint_key.h"
#include "audit/log_writer.h"
#include "audit/rotated_name.h"
#include "audit/verifier.h"
#include "unit/audit/log_fixture.h"

namespace leash::audit {
namespace {

// A log in a folder, with the key that signs it, and a turn that two writers share.
struct Shared {
  Shared() {
    auto opened = tls::SigningKey::open(dir.file("ca"));
    REQUIRE(opened);
    key.emplace(std::move(*opened));
    auto made = LogTurn::make();
    REQUIRE(made);
    first = std::make_shared<const LogTurn>(std::move(*made));
    second = joined();
  }

  std::shared_ptr<const LogTurn> joined() const {
    auto turn = LogTurn::join(base::Fd(::fcntl(first->fd(), F_DUPFD_CLOEXEC, 0)));
    REQUIRE(turn);
    return std::make_shared<const LogTurn>(std::move(*turn));
  }

  std::unique_ptr<LogWriter> open(std::shared_ptr<const LogTurn> turn, bool is_shared,
                                  std::size_t rotate_bytes = 0,
                                  std::vector<std::shared_ptr<Sink>> sinks = {},
                                  FileSystem fs = {}) {
    LogWriter::Options options;
    options.path = log;
    options.sign = sign_with(*key);
    options.key_id = key->public_key().id();
    options.checkpoint_lines = 10;
    options.rotate_bytes = rotate_bytes;
    options.turn = std::move(turn);
    options.is_shared = is_shared;
    options.sinks = std::move(sinks);
    options.fs = std::move(fs);
    options.turn_patience = patience;
    auto writer = LogWriter::open(std::move(options));
    REQUIRE(writer);
    return std::move(*writer);
  }

  static void share(LogWriter& writer) {
    std::promise<void> done;
    writer.stand(LogWriter::Standing::kReplaced, [&done] { done.set_value(); });
    done.get_future().wait();
  }

  // Whether all files together are whole, and how often each id is in them.
  std::map<std::string, int> ids() const {
    std::vector<std::string> files;
    for (const RotatedName& file : rotated_files(log)) files.push_back(file.path);
    files.push_back(log);
    VerifyOptions options;
    options.check_signature = check_with({key->public_key()});
    const VerifyReport report = verify_files(files, options);
    CHECK(report.is_whole());
    std::map<std::string, int> out;
    for (const std::string& file : files) {
      auto reader = LogReader::open(file);
      REQUIRE(reader);
      for (;;) {
        auto line = reader->next();
        REQUIRE(line);
        if (!*line) break;
        const auto begin = (*line)->text.find("\"id\": \"");
        if (begin == std::string::npos) continue;
        const auto end = (*line)->text.find('"', begin + 7);
        ++out[std::string((*line)->text.substr(begin + 7, end - begin - 7))];
      }
    }
    return out;
  }

  TempDir dir;
  std::chrono::milliseconds patience{10'000};  // of writers that are opened from now on
  const std::string log = dir.file("log");
  std::optional<tls::SigningKey> key;
  std::shared_ptr<const LogTurn> first;
  std::shared_ptr<const LogTurn> second;
};

class CountingSink : public Sink {
 public:
  bool wants() const override { return true; }
  void offer(SharedBatch batch) override { lines_ += batch->last - batch->first + 1; }
  Counts counts() const override { return {lines_, 0, 0}; }
  std::string_view name() const override { return "counting"; }

 private:
  std::atomic<std::uint64_t> lines_{0};
};

void write_many(LogWriter& writer, const std::string& name, int count) {
  for (int i = 0; i < count; ++i) REQUIRE(put(writer, name + std::to_string(i)));
}

void expect_once(const std::map<std::string, int>& ids, const std::string& name, int count) {
  for (int i = 0; i < count; ++i) {
    const auto found = ids.find(name + std::to_string(i));
    CHECK((found != ids.end() && found->second == 1));
  }
}

TEST_CASE("only a file in memory without a name is joined as a turn") {
  const TempDir dir;
  const std::string key = dir.file("key");
  write_file(key, "secret");
  const auto joins = [](base::Fd fd) {
    REQUIRE(fd.is_open());
    return LogTurn::join(fd).has_value();
  };
  CHECK_FALSE(joins(base::Fd(::open(key.c_str(), O_PATH | O_CLOEXEC))));
  CHECK_FALSE(joins(base::Fd(::open(key.c_str(), O_RDWR | O_CLOEXEC))));
  CHECK_FALSE(joins(base::Fd(::open(dir.file(".").c_str(), O_RDONLY | O_CLOEXEC))));
  CHECK_FALSE(joins(base::Fd(::open("/dev/null", O_RDWR | O_CLOEXEC))));
  // In memory, but with a name.
  const std::string named = "/dev/shm/leash-turn-" + std::to_string(::getpid());
  const base::Fd shared(::open(named.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (shared.is_open()) CHECK_FALSE(joins(base::Fd(::open(named.c_str(), O_RDWR | O_CLOEXEC))));
  ::unlink(named.c_str());
  auto turn = LogTurn::make();
  REQUIRE(turn);
  CHECK(joins(base::Fd(::fcntl(turn->fd(), F_DUPFD_CLOEXEC, 0))));
}

TEST_CASE("two writers in turns make one chain") {
  Shared rig;
  auto old = rig.open(rig.first, false);
  write_many(*old, "alone", 15);
  Shared::share(*old);
  auto next = rig.open(rig.second, true);
  std::thread one([&] { write_many(*old, "old", 300); });
  std::thread two([&] { write_many(*next, "new", 300); });
  one.join();
  two.join();
  old->close();
  next->stand(LogWriter::Standing::kAlone);
  write_many(*next, "after", 15);
  next->close();
  const auto ids = rig.ids();
  expect_once(ids, "alone", 15);
  expect_once(ids, "old", 300);
  expect_once(ids, "new", 300);
  expect_once(ids, "after", 15);
}

TEST_CASE("a busy process leaves the turn to whoever waits for it") {
  Shared rig;
  std::atomic<bool> is_over{false};
  std::atomic<int> rounds{0};
  std::thread busy([&] {
    while (!is_over) {
      const auto hold = rig.first->take(std::chrono::seconds(10));
      ++rounds;
      // Nearly all of the time.
      const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(2);
      while (std::chrono::steady_clock::now() < end) {
      }
    }
  });
  int late = 0;  // also when this thread stood still before or behind its turn
  for (int i = 0; i < 15; ++i) {
    const int before = rounds;
    REQUIRE(becomes_true([&] { return rounds > before; }));
    const int since = rounds;
    CHECK(rig.second->take(std::chrono::seconds(10)));
    if (rounds - since > 3) ++late;
  }
  CHECK(late < 4);
  is_over = true;
  busy.join();
}

TEST_CASE("two writers in turns, and one of them rotates") {
  Shared rig;
  auto old = rig.open(rig.first, false, 8 * 1024);
  Shared::share(*old);
  auto next = rig.open(rig.second, true, 8 * 1024);
  std::thread one([&] { write_many(*old, "old", 300); });
  std::thread two([&] { write_many(*next, "new", 300); });
  one.join();
  two.join();
  old.reset();
  next.reset();  // and what it packs
  CHECK(rotated_files(rig.log).size() > 3);
  const auto ids = rig.ids();
  expect_once(ids, "old", 300);
  expect_once(ids, "new", 300);
}

TEST_CASE("a log that somebody else moves is followed by both") {
  Shared rig;
  auto old = rig.open(rig.first, false);
  Shared::share(*old);
  auto next = rig.open(rig.second, true);
  write_many(*old, "a", 5);
  write_many(*next, "b", 5);
  REQUIRE(::rename(rig.log.c_str(), (rig.log + ".1").c_str()) == 0);
  write_many(*next, "c", 5);
  write_many(*old, "d", 5);
  next->close();
  old->close();
  const auto moved = split_lines(read_file(rig.log + ".1"));
  auto all = moved;
  for (const std::string& line : split_lines(read_file(rig.log))) all.push_back(line);
  CHECK(is_chained(all));
  CHECK(moved.size() >= 10);
  CHECK(all.size() >= 20);
}

TEST_CASE("a successor that is gone before it was let write leaves the sinks to the one before") {
  Shared rig;
  const auto sink = std::make_shared<CountingSink>();
  auto old = rig.open(rig.first, false, 0, {sink});
  // While the writer is busy, so that it hears of both at once.
  std::promise<void> busy;
  std::promise<void> go_on;
  old->append(note("a"), [&](const base::Result<void>&) {
    busy.set_value();
    go_on.get_future().wait();
  });
  busy.get_future().wait();
  bool is_told = false;
  old->stand(LogWriter::Standing::kReplaced, [&] { is_told = true; });
  old->stand(LogWriter::Standing::kAlone);
  go_on.set_value();
  write_many(*old, "b", 5);
  old->close();
  CHECK(sink->counts().lines >= 6);
  CHECK_FALSE(is_told);
}

TEST_CASE("without its successor a process feeds and rotates again, while one before it writes") {
  Shared rig;
  const auto sink = std::make_shared<CountingSink>();
  auto oldest = rig.open(rig.first, false, 2 * 1024);
  Shared::share(*oldest);
  auto middle = rig.open(rig.second, true, 2 * 1024, {sink});
  Shared::share(*middle);
  write_many(*middle, "a", 30);
  CHECK(sink->counts().lines == 0);
  CHECK(rotated_files(rig.log).empty());
  std::promise<void> done;
  middle->stand(LogWriter::Standing::kNewest, [&] { done.set_value(); });
  done.get_future().wait();
  write_many(*middle, "b", 30);
  write_many(*oldest, "c", 30);
  oldest->close();
  middle->close();
  CHECK(sink->counts().lines >= 60);
  CHECK_FALSE(rotated_files(rig.log).empty());
  const auto ids = rig.ids();
  expect_once(ids, "a", 30);
  expect_once(ids, "b", 30);
  expect_once(ids, "c", 30);
}

TEST_CASE("a successor that never serves leaves the log to the one before") {
  Shared rig;
  auto old = rig.open(rig.first, false);
  write_many(*old, "a", 5);
  Shared::share(*old);
  {
    auto next = rig.open(rig.second, true);
    write_many(*next, "b", 5);
  }
  old->stand(LogWriter::Standing::kAlone);
  write_many(*old, "c", 25);
  old->close();
  const auto ids = rig.ids();
  expect_once(ids, "a", 5);
  expect_once(ids, "b", 5);
  expect_once(ids, "c", 25);
}

TEST_CASE("files that are rotated while the other writer does not look do not go by unseen") {
  Shared rig;
  auto old = rig.open(rig.first, false, 2 * 1024);
  Shared::share(*old);
  auto next = rig.open(rig.second, true, 2 * 1024);
  // Some lines in the file that `old` knows, then whole files: between two looks of `old`, in most
  // rounds.
  for (int round = 0; round < 20; ++round) {
    write_many(*next, "n" + std::to_string(round) + "-", 17);
    REQUIRE(put(*old, "o" + std::to_string(round)));
  }
  next->close();
  old->stand(LogWriter::Standing::kAlone);
  REQUIRE(put(*old, "o20"));
  old->close();
  const auto ids = rig.ids();
  expect_once(ids, "o", 21);
  for (int round = 0; round < 20; ++round) {
    expect_once(ids, "n" + std::to_string(round) + "-", 17);
  }
}

TEST_CASE("news that was read is not lost where the new file cannot be opened") {
  Shared rig;
  std::atomic<bool> is_short{false};  // of descriptors
  FileSystem fs;
  fs.open = [&](const char* path, int flags, mode_t mode) {
    if (!is_short.exchange(false)) return ::open(path, flags, mode);
    errno = EMFILE;
    return -1;
  };
  auto old = rig.open(rig.first, false, 0, {}, fs);
  Shared::share(*old);
  auto next = rig.open(rig.second, true);
  REQUIRE(put(*old, "o"));
  write_many(*next, "a", 3);
  is_short = true;  // first, or a look of its own between the two opens the new file
  REQUIRE(::rename(rig.log.c_str(), (rig.log + ".1").c_str()) == 0);
  write_many(*next, "b", 3);
  // Refused, or with the next look before it; but never written where the log stood before.
  const bool is_refused = !put(*old, "c");
  CHECK(becomes_true([&] { return old->is_writable(); }));
  REQUIRE(put(*old, "d"));
  next->close();
  old->close();
  auto all = split_lines(read_file(rig.log + ".1"));
  for (const std::string& line : split_lines(read_file(rig.log))) all.push_back(line);
  CHECK(is_chained(all));
  CHECK((is_refused || old->counts().failures > 0));
}

TEST_CASE("an older file in the place of the log does not turn its numbers back") {
  Shared rig;
  auto old = rig.open(rig.first, false);
  Shared::share(*old);
  write_many(*old, "a", 3);
  const std::string before = read_file(rig.log);
  write_many(*old, "b", 5);
  const auto last = split_line(split_lines(read_file(rig.log)).back());
  REQUIRE(last);
  write_file(rig.dir.file("restored"), before);
  REQUIRE(::rename(rig.dir.file("restored").c_str(), rig.log.c_str()) == 0);
  REQUIRE(put(*old, "c"));
  const auto next = split_line(split_lines(read_file(rig.log)).back());
  REQUIRE(next);
  CHECK(next->seq == last->seq + 1);
  old->close();
}

TEST_CASE("a file that is opened anew is not fed again") {
  Shared rig;
  const auto sink = std::make_shared<CountingSink>();
  auto old = rig.open(rig.first, false);
  write_many(*old, "a", 5);
  Shared::share(*old);
  auto next = rig.open(rig.second, true, 0, {sink});
  for (int i = 0; i < 3; ++i) {
    REQUIRE(put(*old, "b" + std::to_string(i)));
    next->reopen();
    REQUIRE(put(*next, "c" + std::to_string(i)));
  }
  old->close();
  next->close();
  const auto lines = split_lines(read_file(rig.log));
  CHECK(is_chained(lines));
  // What was there when it was opened it does not feed.
  CHECK(sink->counts().lines <= lines.size() - 5);
  CHECK(sink->counts().lines >= 6);
}

TEST_CASE("a process that keeps the turn takes the other one's log down until it lets go") {
  Shared rig;
  rig.patience = std::chrono::milliseconds(20);
  auto old = rig.open(rig.first, false);
  Shared::share(*old);
  REQUIRE(put(*old, "a"));
  auto kept = rig.second->take(std::chrono::seconds(10));
  REQUIRE(kept);
  CHECK_FALSE(put(*old, "b"));
  CHECK_FALSE(old->is_writable());
  CHECK_FALSE(put(*old, "c"));  // at once
  kept.reset();
  CHECK(becomes_true([&] { return old->is_writable(); }));
  REQUIRE(put(*old, "d"));
  old->close();
  auto ids = rig.ids();
  CHECK(ids["a"] == 1);
  CHECK(ids["d"] == 1);
  CHECK(ids.count("b") + ids.count("c") == 0);
}

TEST_CASE("a writer ends although another process keeps the turn") {
  Shared rig;
  rig.patience = std::chrono::milliseconds(20);
  auto old = rig.open(rig.first, false);
  Shared::share(*old);
  const auto kept = rig.second->take(std::chrono::seconds(10));
  REQUIRE(kept);
  old->append(note("a"));  // nobody waits for it
  old->stand(LogWriter::Standing::kAlone);
  old->close();
  CHECK(old->counts().lost == 1);
}

TEST_CASE("the log is not opened beside a process that keeps the turn") {
  Shared rig;
  auto old = rig.open(rig.first, false);
  Shared::share(*old);
  const auto third = rig.joined();
  const auto kept = third->take(std::chrono::seconds(10));
  REQUIRE(kept);
  LogWriter::Options options;
  options.path = rig.log;
  options.turn = rig.second;
  options.is_shared = true;
  options.turn_patience = std::chrono::milliseconds(20);
  CHECK_FALSE(LogWriter::open(std::move(options)));
}

TEST_CASE("half a line of a writer that was killed is cut off by the other") {
  Shared rig;
  auto old = rig.open(rig.first, false);
  Shared::share(*old);
  write_many(*old, "a", 3);
  {
    const auto hold = rig.second->take(std::chrono::seconds(10));
    REQUIRE(hold);
    std::ofstream torn(rig.log, std::ios::binary | std::ios::app);
    torn << "{\"ts\": 1.0, \"event\": \"request\", \"id\": \"tor";
  }
  write_many(*old, "b", 3);
  old->close();
  const auto ids = rig.ids();
  expect_once(ids, "a", 3);
  expect_once(ids, "b", 3);
  CHECK(read_file(rig.log).find("\"torn_bytes\"") != std::string::npos);
}

#ifndef LEASH_SANITIZED  // which do not like threads in a fork
TEST_CASE("whoever is killed at whatever moment, what was acknowledged is there once") {
  for (int round = 0; round < 8; ++round) {
    Shared rig;
    auto old = rig.open(rig.first, false);
    Shared::share(*old);
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    // Threads do not live on in a fork, and the victim makes its own.
    const pid_t victim = ::fork();
    if (victim == 0) {
      auto turn = LogTurn::join(base::Fd(rig.first->fd()));
      if (!turn) ::_exit(1);
      auto mine = rig.open(std::make_shared<const LogTurn>(std::move(*turn)), true);
      for (int i = 0;; ++i) {
        if (!put(*mine, "v" + std::to_string(i))) ::_exit(2);
        if (::write(ends[1], &i, sizeof i) != sizeof i) ::_exit(3);
      }
    }
    int last = -1;
    for (int i = 0; i <= round * 7; ++i)
      REQUIRE(::read(ends[0], &last, sizeof last) == sizeof last);
    std::thread one([&] { write_many(*old, "o", 100); });
    ::kill(victim, SIGKILL);
    ::waitpid(victim, nullptr, 0);
    one.join();
    ::close(ends[1]);
    while (::read(ends[0], &last, sizeof last) == sizeof last) {
    }
    ::close(ends[0]);
    old->stand(LogWriter::Standing::kAlone);
    write_many(*old, "p", 15);
    old->close();
    const auto ids = rig.ids();
    expect_once(ids, "o", 100);
    expect_once(ids, "p", 15);
    expect_once(ids, "v", last + 1);
  }
}
#endif

}  // namespace
}  // namespace leash::audit
