#include "audit/log_writer.h"

#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <memory>

#include "audit/checkpoint.h"
#include "audit/line_view.h"
#include "audit/merkle.h"
#include "unit/audit/log_fixture.h"

namespace leash::audit {
namespace {

using std::chrono::milliseconds;

// A disk that can be broken while a writer uses it.
struct Disk {
  std::atomic<int> write_error{0};
  std::atomic<long> room{1L << 40};  // bytes until the disk is full
  std::atomic<int> sync_error{0};
  std::atomic<int> truncate_error{0};
  std::atomic<int> open_error{0};
  std::atomic<int> syncs{0};

  FileSystem calls() {
    FileSystem fs;
    fs.open = [this](const char* path, int flags, mode_t mode) {
      if (open_error != 0) return failed(open_error);
      return ::open(path, flags, mode);
    };
    fs.write = [this](int fd, const void* bytes, size_t size) -> ssize_t {
      if (write_error != 0) return failed(write_error);
      if (room <= 0) return failed(ENOSPC);
      const auto count = std::min(static_cast<long>(size), room.load());
      room -= count;
      return ::write(fd, bytes, static_cast<size_t>(count));
    };
    fs.fdatasync = [this](int fd) {
      ++syncs;
      return sync_error != 0 ? failed(sync_error) : ::fdatasync(fd);
    };
    fs.ftruncate = [this](int fd, off_t size) {
      if (truncate_error != 0) return failed(truncate_error);
      struct stat before {};
      ::fstat(fd, &before);
      room += before.st_size - size;
      return ::ftruncate(fd, size);
    };
    fs.fallocate = [this](int, int, off_t, off_t size) {
      if (write_error != 0) return failed(write_error);
      return room < size ? failed(ENOSPC) : 0;
    };
    return fs;
  }

 private:
  static int failed(int error) {
    errno = error;
    return -1;
  }
};

LogWriter::Options options_for(const std::string& path) {
  LogWriter::Options options;
  options.path = path;
  options.retry = milliseconds(1);
  return options;
}

std::unique_ptr<LogWriter> open(LogWriter::Options options) {
  auto writer = LogWriter::open(std::move(options));
  REQUIRE(writer);
  return std::move(*writer);
}

std::vector<std::string> ids(const std::string& path) {
  std::vector<std::string> out;
  for (const std::string& line : split_lines(read_file(path))) {
    const auto view = LineView::parse(line);
    out.push_back(view ? view->text("id").value_or("-") : "not a line");
  }
  return out;
}

using Ids = std::vector<std::string>;

TEST_CASE("a new log is made, and an acknowledged line is in it") {
  const TempDir dir;
  const std::string path = dir.file("log");
  auto writer = open(options_for(path));
  CHECK(writer->is_writable());
  CHECK(put(*writer, "a"));
  CHECK(put(*writer, "b"));
  const auto lines = split_lines(read_file(path));
  REQUIRE(lines.size() == 2);
  CHECK(is_chained(lines));
  CHECK(lines[0].find("\"id\": \"a\", \"seq\": 1, \"chain\": \"") != std::string::npos);
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0640);
  CHECK(writer->counts().lines == 2);
  CHECK(writer->counts().bytes == read_file(path).size());
}

TEST_CASE("what is queued is written before the writer ends") {
  const TempDir dir;
  {
    auto writer = open(options_for(dir.file("log")));
    for (int i = 0; i < 5000; ++i) writer->append(note(std::to_string(i)));
  }
  const auto lines = split_lines(read_file(dir.file("log")));
  CHECK(lines.size() == 5000);
  CHECK(is_chained(lines));
}

TEST_CASE("after close everyone has been answered, and nobody is answered any more") {
  const TempDir dir;
  auto writer = open(options_for(dir.file("log")));
  int answers = 0;
  for (int i = 0; i < 100; ++i) {
    writer->append(
        note("a"), [&](const base::Result<void>&) { ++answers; }, LogWriter::Wake::kByCaller);
  }
  writer->close();
  CHECK(answers == 100);
  writer->append(note("late"), [&](const base::Result<void>&) { ++answers; });
  writer->close();
  writer.reset();
  CHECK(answers == 100);
  CHECK(ids(dir.file("log")).size() == 100);
}

TEST_CASE("a line nobody waits for goes to the file by itself") {
  const TempDir dir;
  auto writer = open(options_for(dir.file("log")));
  for (const std::string id : {"a", "b", "c"}) {
    writer->append(note(id));
    CHECK(becomes_true([&] {
      const auto all = ids(dir.file("log"));
      return !all.empty() && all.back() == id;
    }));
  }
}

TEST_CASE("lines whose appender calls the writer itself are answered after it has") {
  const TempDir dir;
  auto writer = open(options_for(dir.file("log")));
  std::atomic<int> answers{0};
  for (int turn = 1; turn <= 50; ++turn) {
    for (const std::string id : {"a", "b"}) {
      writer->append(
          note(id), [&](const base::Result<void>& written) { answers += written ? 1 : 0; },
          LogWriter::Wake::kByCaller);
    }
    writer->wake();
    CHECK(becomes_true([&] { return answers == 2 * turn; }));
  }
  CHECK(ids(dir.file("log")).size() == 100);
}

TEST_CASE("answers come in the order of the lines, from many threads") {
  const TempDir dir;
  std::vector<std::string> answered;
  {
    auto writer = open(options_for(dir.file("log")));
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 500; ++i) {
          const std::string id = std::to_string(t) + "." + std::to_string(i);
          // Answers run on one thread.
          writer->append(note(id), [&answered, id](base::Result<void>) { answered.push_back(id); });
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  CHECK(answered == ids(dir.file("log")));
  CHECK(answered.size() == 2000);
}

TEST_CASE("numbers and chain go on after a restart") {
  const TempDir dir;
  for (int i = 0; i < 3; ++i) CHECK(put(*open(options_for(dir.file("log"))), std::to_string(i)));
  const auto lines = split_lines(read_file(dir.file("log")));
  CHECK(lines.size() == 3);
  CHECK(is_chained(lines));
}

TEST_CASE("a log of the original goes on with a chain") {
  const TempDir dir;
  const std::string old = "{\"ts\": 1.0, \"event\": \"blocked\", \"client\": null}\n";
  write_file(dir.file("log"), old);
  CHECK(put(*open(options_for(dir.file("log"))), "a"));
  const std::string text = read_file(dir.file("log"));
  CHECK(text.starts_with(old));
  CHECK(is_chained(split_lines(text.substr(old.size()))));
}

TEST_CASE("a torn last line is cut off and told in the next line") {
  const TempDir dir;
  const std::string path = dir.file("log");
  CHECK(put(*open(options_for(path)), "a"));
  const std::string torn = "{\"ts\": 1.0, \"event\": \"requ\xff";
  write_file(path, read_file(path) + torn);
  CHECK(put(*open(options_for(path)), "b"));
  const auto lines = split_lines(read_file(path));
  REQUIRE(lines.size() == 2);
  CHECK(is_chained(lines));
  const auto view = LineView::parse(lines[1]);
  REQUIRE(view);
  CHECK(view->integer("torn_bytes") == torn.size());
  CHECK(view->text("torn") == torn);
  CHECK(view->raw("torn_kept").empty());
}

TEST_CASE("what is not a piece of our line is never cut off") {
  const TempDir dir;
  const std::string path = dir.file("log");
  write_file(path, "something else");
  auto writer = open(options_for(path));
  CHECK(put(*writer, "a"));
  CHECK(put(*writer, "b"));
  const auto lines = split_lines(read_file(path));
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == "something else");
  CHECK(is_chained({lines[1], lines[2]}));
  CHECK(LineView::parse(lines[1])->raw("torn_kept") == "true");
  CHECK(LineView::parse(lines[2])->raw("torn_bytes").empty());
}

TEST_CASE("a log that cannot be cut goes on behind its torn line") {
  const TempDir dir;
  const std::string path = dir.file("log");
  write_file(path, "{\"ts\": 1.0");
  Disk disk;
  disk.truncate_error = EPERM;  // chattr +a
  auto options = options_for(path);
  options.fs = disk.calls();
  CHECK(put(*open(options), "a"));
  const auto lines = split_lines(read_file(path));
  REQUIRE(lines.size() == 2);
  CHECK(lines[0] == "{\"ts\": 1.0");
  CHECK(is_chained({lines[1]}));
  CHECK(LineView::parse(lines[1])->raw("torn_kept") == "true");
}

TEST_CASE("a moved log is opened anew and the chain goes on") {
  const TempDir dir;
  auto writer = open(options_for(dir.file("log")));
  CHECK(put(*writer, "a"));
  std::filesystem::rename(dir.file("log"), dir.file("log.1"));
  CHECK(put(*writer, "b"));
  std::filesystem::remove(dir.file("log"));
  CHECK(put(*writer, "c"));
  CHECK(ids(dir.file("log.1")) == Ids{"a"});
  CHECK(ids(dir.file("log")) == Ids{"c"});
  const auto first = split_line(split_lines(read_file(dir.file("log.1")))[0]);
  const auto third = split_line(split_lines(read_file(dir.file("log")))[0]);
  REQUIRE((first && third));
  CHECK(first->seq == 1);
  CHECK(third->seq == 3);
}

TEST_CASE("a log that was moved while nobody ran goes on with its chain") {
  const TempDir dir;
  const std::string path = dir.file("log");
  CHECK(put(*open(options_for(path)), "a"));
  std::filesystem::rename(path, path + ".1");
  write_file(path + ".old", "no log\n");
  write_file(dir.file("logs"), "another");
  CHECK(put(*open(options_for(path)), "b"));
  CHECK(is_chained({split_lines(read_file(path + ".1"))[0], split_lines(read_file(path))[0]}));
}

TEST_CASE("a log truncated in place grows from its beginning") {
  const TempDir dir;
  auto writer = open(options_for(dir.file("log")));
  CHECK(put(*writer, "a"));
  std::filesystem::resize_file(dir.file("log"), 0);
  CHECK(put(*writer, "b"));
  CHECK(ids(dir.file("log")) == Ids{"b"});
}

TEST_CASE("reopen opens the log again") {
  const TempDir dir;
  auto writer = open(options_for(dir.file("log")));
  CHECK(put(*writer, "a"));
  writer->reopen();
  CHECK(put(*writer, "b"));
  CHECK(ids(dir.file("log")) == Ids{"a", "b"});
}

TEST_CASE("a directory, a FIFO and a device are no logs") {
  const TempDir dir;
  REQUIRE(::mkfifo(dir.file("fifo").c_str(), 0600) == 0);
  for (const std::string& path : {dir.file(""), dir.file("fifo"), std::string("/dev/null")}) {
    const auto writer = LogWriter::open(options_for(path));
    REQUIRE_FALSE(writer);
    CHECK(writer.error().code == base::Code::kBadConfig);
  }
}

TEST_CASE("a log that cannot be opened yet refuses lines, and works when it can") {
  const TempDir dir;
  const std::string path = dir.file("later") + "/log";
  auto writer = open(options_for(path));
  CHECK_FALSE(writer->is_writable());
  const auto refused = put(*writer, "a");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == base::Code::kAuditUnavailable);
  writer->append(note("outcome", Event::kError));
  std::filesystem::create_directory(dir.file("later"));
  CHECK(becomes_true([&] { return writer->is_writable(); }));
  CHECK(put(*writer, "b"));
  CHECK(ids(path) == Ids{"outcome", "b"});
  CHECK(is_chained(split_lines(read_file(path))));
  CHECK(writer->counts().refused == 1);
  CHECK(writer->counts().failures > 0);
}

TEST_CASE("a full disk refuses the line that did not fit and leaves no trace of it") {
  const TempDir dir;
  const std::string path = dir.file("log");
  Disk disk;
  auto options = options_for(path);
  options.fs = disk.calls();
  auto writer = open(options);
  CHECK(put(*writer, "a"));
  const std::string before = read_file(path);
  for (long room = 0; room < static_cast<long>(before.size()); room += 17) {
    disk.room = room;
    const auto refused = put(*writer, "never, as it is longer than the one before");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == base::Code::kAuditUnavailable);
    CHECK_FALSE(writer->is_writable());
    CHECK(read_file(path) == before);
    disk.room = 1 << 30;
    REQUIRE(becomes_true([&] { return writer->is_writable(); }));
  }
  CHECK(put(*writer, "b"));
  CHECK(ids(path) == Ids{"a", "b"});
  CHECK(is_chained(split_lines(read_file(path))));
}

TEST_CASE("lines nobody waits for are kept while the disk is full") {
  const TempDir dir;
  const std::string path = dir.file("log");
  Disk disk;
  auto options = options_for(path);
  options.fs = disk.calls();
  auto writer = open(options);
  CHECK(put(*writer, "a"));
  disk.room = 0;
  writer->append(note("outcome 1"));
  REQUIRE_FALSE(put(*writer, "never"));
  writer->append(note("outcome 2"));
  REQUIRE_FALSE(put(*writer, "never"));
  CHECK_FALSE(writer->is_writable());
  disk.room = 1 << 30;
  REQUIRE(becomes_true([&] { return writer->counts().lines == 3; }));
  REQUIRE(becomes_true([&] { return writer->is_writable(); }));
  CHECK(put(*writer, "b"));
  CHECK(ids(path) == Ids{"a", "outcome 1", "outcome 2", "b"});
  CHECK(is_chained(split_lines(read_file(path))));
  CHECK(writer->counts().lost == 0);
}

TEST_CASE("a disk that takes only part of a batch keeps the whole lines of it") {
  const TempDir dir;
  const std::string path = dir.file("log");
  {
    Disk disk;
    disk.room = 3000;  // in the middle of a line, wherever the batches begin
    auto options = options_for(path);
    options.retry = std::chrono::hours(1);  // nothing is written while the file is looked at
    options.fs = disk.calls();
    auto writer = open(options);
    for (int i = 0; i < 100; ++i) writer->append(note("x"));
    REQUIRE(becomes_true([&] { return writer->counts().failures > 0; }));
    const std::string text = read_file(path);
    CHECK(text.size() > 2000);
    CHECK(text.ends_with("}\n"));
    disk.room = 1 << 30;
  }
  const auto lines = split_lines(read_file(path));
  CHECK(lines.size() == 100);
  CHECK(is_chained(lines));
}

TEST_CASE("an unfinished line that cannot be cut off becomes a line of its own") {
  const TempDir dir;
  const std::string path = dir.file("log");
  Disk disk;
  auto options = options_for(path);
  options.fs = disk.calls();
  auto writer = open(options);
  CHECK(put(*writer, "a"));
  disk.truncate_error = EPERM;
  disk.room = 50;
  REQUIRE_FALSE(put(*writer, "never"));
  disk.room = 1 << 30;
  REQUIRE(becomes_true([&] { return writer->is_writable(); }));
  CHECK(put(*writer, "b"));
  CHECK(put(*writer, "c"));
  const auto lines = split_lines(read_file(path));
  REQUIRE(lines.size() == 4);
  CHECK(lines[1].size() == 50);
  CHECK(is_chained({lines[0], lines[2], lines[3]}));
  const auto view = LineView::parse(lines[2]);
  CHECK(view->integer("torn_bytes") == 50);
  CHECK(view->text("torn") == lines[1]);
  CHECK(view->raw("torn_kept") == "true");
}

TEST_CASE("an unfinished line that can be cut off later leaves no trace") {
  const TempDir dir;
  const std::string path = dir.file("log");
  Disk disk;
  auto options = options_for(path);
  options.fs = disk.calls();
  auto writer = open(options);
  disk.truncate_error = EIO;
  disk.room = 50;
  REQUIRE_FALSE(put(*writer, "never"));
  CHECK(read_file(path).size() == 50);
  disk.truncate_error = 0;
  disk.room = 1 << 30;
  REQUIRE(becomes_true([&] { return writer->is_writable(); }));
  CHECK(put(*writer, "b"));
  const auto lines = split_lines(read_file(path));
  REQUIRE(lines.size() == 1);
  CHECK(is_chained(lines));
  CHECK(lines[0].find("torn") == std::string::npos);
}

TEST_CASE("with sync a line is answered after it is on the disk, and taken back where it is not") {
  const TempDir dir;
  const std::string path = dir.file("log");
  Disk disk;
  auto options = options_for(path);
  options.fs = disk.calls();
  options.durability = Durability::kSync;
  auto writer = open(options);
  CHECK(put(*writer, "a"));
  CHECK(disk.syncs == 1);
  disk.sync_error = EIO;
  const auto refused = put(*writer, "never");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == base::Code::kAuditUnavailable);
  CHECK(ids(path) == Ids{"a"});
  disk.sync_error = 0;
  REQUIRE(becomes_true([&] { return writer->is_writable(); }));
  CHECK(put(*writer, "b"));
  CHECK(ids(path) == Ids{"a", "b"});
  CHECK(is_chained(split_lines(read_file(path))));
}

TEST_CASE("a line that cannot be taken back stays in the chain") {
  const TempDir dir;
  const std::string path = dir.file("log");
  Disk disk;
  auto options = options_for(path);
  options.fs = disk.calls();
  options.durability = Durability::kSync;
  auto writer = open(options);
  disk.sync_error = EIO;
  disk.truncate_error = EPERM;
  REQUIRE_FALSE(put(*writer, "a"));
  disk.sync_error = 0;
  REQUIRE(becomes_true([&] { return writer->is_writable(); }));
  CHECK(put(*writer, "b"));
  CHECK(ids(path) == Ids{"a", "b"});
  CHECK(is_chained(split_lines(read_file(path))));
}

TEST_CASE("with async a line is answered when it is queued, and kept while the disk is full") {
  const TempDir dir;
  const std::string path = dir.file("log");
  {
    Disk disk;
    auto options = options_for(path);
    options.fs = disk.calls();
    options.durability = Durability::kAsync;
    auto writer = open(options);
    disk.room = 0;
    bool is_answered = false;
    writer->append(note("a"), [&](base::Result<void> result) { is_answered = result.has_value(); });
    CHECK(is_answered);
    REQUIRE(becomes_true([&] { return !writer->is_writable(); }));
    CHECK_FALSE(put(*writer, "never"));
    disk.room = 1 << 30;
  }
  CHECK(ids(path) == Ids{"a"});
}

TEST_CASE("a full queue refuses lines and loses those nobody waits for") {
  const TempDir dir;
  Disk disk;
  disk.open_error = EACCES;
  auto options = options_for(dir.file("log"));
  options.fs = disk.calls();
  options.queue_bytes = 1000;
  {
    auto writer = open(options);
    for (int i = 0; i < 100; ++i) writer->append(note("x"));
    CHECK(writer->counts().lost > 90);
    CHECK(writer->counts().lost < 100);
    disk.open_error = 0;
    REQUIRE(
        becomes_true([&] { return writer->is_writable() && writer->counts().queued_bytes == 0; }));
    CHECK(put(*writer, "a"));
    Record big = note("b");
    big.url = std::string(2000, 'x');
    std::promise<base::Result<void>> answer;
    writer->append(big, [&](base::Result<void> result) { answer.set_value(result); });
    const auto refused = answer.get_future().get();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == base::Code::kAuditUnavailable);
    CHECK(put(*writer, "c"));
  }
  CHECK(is_chained(split_lines(read_file(dir.file("log")))));
}

TEST_CASE("a writer that ends while the disk is full answers everyone") {
  const TempDir dir;
  Disk disk;
  disk.write_error = EIO;
  int answers = 0;
  {
    auto options = options_for(dir.file("log"));
    options.fs = disk.calls();
    auto writer = open(options);
    for (int i = 0; i < 10; ++i) {
      writer->append(note("x"), [&](base::Result<void> result) { answers += result ? 100 : 1; });
    }
  }
  CHECK(answers == 10);
}

std::string fake_sign(std::string_view bytes) { return tls::hex(tls::sha256("secret", bytes)); }

TEST_CASE("checkpoints vouch for the lines since the last one") {
  const TempDir dir;
  const std::string path = dir.file("log");
  auto options = options_for(path);
  options.sign = fake_sign;
  options.key_id = "k1";
  options.checkpoint_lines = 3;
  options.checkpoint_interval = std::chrono::hours(1);
  {
    auto writer = open(options);
    CHECK(put(*writer, "w"));  // the first line of all has one at once
    for (int i = 0; i < 3; ++i) CHECK(put(*writer, "x"));
    REQUIRE(becomes_true([&] { return writer->counts().lines == 6; }));
    CHECK(put(*writer, "y"));
  }  // the end brings one for the last line
  const auto lines = split_lines(read_file(path));
  REQUIRE(lines.size() == 8);
  CHECK(is_chained(lines));
  const auto at_once = parse_checkpoint(lines[1]);
  REQUIRE(at_once);
  CHECK(at_once->first == 1);
  CHECK(at_once->last == 1);
  const auto first = parse_checkpoint(lines[5]);
  REQUIRE(first);
  CHECK(first->first == 3);
  CHECK(first->last == 5);
  CHECK(first->key == "k1");
  CHECK(first->signature == fake_sign(first->signed_bytes));
  CHECK(first->signed_bytes.starts_with("leash audit checkpoint v1\n{\"ts\": "));
  const std::vector<ChainValue> leaves{split_line(lines[2])->chain, split_line(lines[3])->chain,
                                       split_line(lines[4])->chain};
  CHECK(first->root == merkle_root(leaves));
  const auto second = parse_checkpoint(lines[7]);
  REQUIRE(second);
  CHECK(second->first == 7);
  CHECK(second->last == 7);
}

TEST_CASE("a checkpoint comes after a while, and vouches for lines of the run before") {
  const TempDir dir;
  const std::string path = dir.file("log");
  {
    auto writer = open(options_for(path));  // does not sign, as if it had been killed
    CHECK(put(*writer, "a"));
    CHECK(put(*writer, "b"));
  }
  auto options = options_for(path);
  options.sign = fake_sign;
  options.checkpoint_interval = milliseconds(1);
  auto writer = open(options);
  REQUIRE(becomes_true([&] { return writer->counts().lines == 1; }));
  const auto lines = split_lines(read_file(path));
  REQUIRE(lines.size() == 3);
  const auto checkpoint = parse_checkpoint(lines[2]);
  REQUIRE(checkpoint);
  CHECK(checkpoint->first == 1);
  CHECK(checkpoint->last == 2);
}

TEST_CASE("a checkpoint that does not fit is made again later") {
  const TempDir dir;
  const std::string path = dir.file("log");
  Disk disk;
  auto options = options_for(path);
  options.fs = disk.calls();
  options.sign = fake_sign;
  options.checkpoint_lines = 1;
  {
    auto writer = open(options);
    disk.room = 250;  // the line, not the checkpoint
    CHECK(put(*writer, "a"));
    REQUIRE(becomes_true([&] { return !writer->is_writable(); }));
    disk.room = 1 << 30;
    REQUIRE(becomes_true([&] { return writer->counts().lines == 2; }));
  }
  const auto lines = split_lines(read_file(path));
  REQUIRE(lines.size() == 2);
  CHECK(is_chained(lines));
  CHECK(parse_checkpoint(lines[1]));
}

TEST_CASE("a checkpoint with a field outside of the signature is none") {
  const std::vector<ChainValue> lines(3);
  std::string line = render_checkpoint(1.5, 7, lines, "k", fake_sign);
  finish_line(line, 0, 10, {});
  line.pop_back();
  REQUIRE(parse_checkpoint(line));
  CHECK(parse_checkpoint(line)->last == 9);
  std::string moved = line;
  const std::size_t first = moved.find(", \"first\": 7");
  moved.erase(first, 12);
  moved.insert(moved.find(", \"seq\""), ", \"first\": 7");
  REQUIRE(LineView::parse(moved));
  CHECK_FALSE(parse_checkpoint(moved));
}

TEST_CASE("base64 has one spelling") {
  CHECK(base64_decode("") == "");
  CHECK(base64_decode("YQ==") == "a");
  CHECK(base64_decode("YWI=") == "ab");
  CHECK(base64_decode("YWJj") == "abc");
  CHECK(base64_decode("+/+/") == "\xfb\xff\xbf");
  for (const char* text : {"Y", "YQ", "YQ=", "YR==", "YWJ=", "YQ==YQ==", "=QQ=", "Y===", "YW J"}) {
    CHECK_FALSE_MESSAGE(base64_decode(text), text);
  }
}

}  // namespace
}  // namespace leash::audit
