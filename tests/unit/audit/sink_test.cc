#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "audit/backlog.h"
#include "audit/inbox.h"
#include "audit/line_view.h"
#include "audit/socket_sink.h"
#include "audit/syslog_message.h"
#include "audit/syslog_sink.h"
#include "unit/audit/log_fixture.h"

namespace leash::audit {
namespace {

SharedBatch batch(std::uint64_t first, std::uint64_t last, std::size_t line_bytes = 10) {
  LineBatch made{first, last, {}};
  for (std::uint64_t seq = first; seq <= last; ++seq) {
    made.text += std::string(line_bytes - 1, 'x') + "\n";
  }
  return std::make_shared<const LineBatch>(std::move(made));
}

// All that waits; a gap as "[first-last]".
std::string drain(Backlog& backlog) {
  std::string out;
  while (!backlog.is_empty()) {
    const std::string piece(backlog.front());
    const auto view = LineView::parse(piece);
    if (view && view->text("event") == "gap") {
      CHECK(*view->integer("lines") == *view->integer("last") - *view->integer("first") + 1);
      out += "[" + std::to_string(*view->integer("first")) + "-" +
             std::to_string(*view->integer("last")) + "]";
    } else {
      out += std::to_string(std::count(piece.begin(), piece.end(), '\n'));
    }
    backlog.consume(piece.size());
  }
  return out;
}

TEST_CASE("a backlog hands on what it was given, in any pieces") {
  Backlog backlog(1000);
  CHECK(backlog.is_empty());
  CHECK(backlog.offer(batch(5, 7)) == 0);
  CHECK(backlog.offer(batch(8, 8)) == 0);
  std::string out;
  while (!backlog.is_empty()) {
    const std::size_t take = std::min<std::size_t>(7, backlog.front().size());
    out.append(backlog.front().substr(0, take));
    backlog.consume(take);
  }
  CHECK(out == batch(5, 8)->text);
}

TEST_CASE("what has no room is told in its place, once") {
  Backlog backlog(100);
  CHECK(backlog.offer(batch(1, 10)) == 0);
  CHECK(backlog.offer(batch(11, 12)) == 2);
  CHECK(backlog.offer(batch(13, 20)) == 8);
  CHECK(drain(backlog) == "10[11-20]");
  CHECK(backlog.offer(batch(21, 22)) == 0);
  CHECK(drain(backlog) == "2");
}

TEST_CASE("lines that the numbers show as missing are told, too") {
  Backlog backlog(100);
  CHECK(backlog.offer(batch(7, 7)) == 0);  // the first ones are nobody's loss
  CHECK(backlog.offer(batch(10, 11)) == 2);
  CHECK(drain(backlog) == "1[8-9]2");
  CHECK(backlog.offer(batch(12, 21)) == 0);
  CHECK(backlog.offer(batch(23, 23)) == 2);
  CHECK(drain(backlog) == "10[22-23]");
}

TEST_CASE("a batch that is larger than the limit passes where nothing waits") {
  Backlog backlog(10);
  CHECK(backlog.offer(batch(1, 1, 1000)) == 0);
  CHECK(backlog.offer(batch(2, 2, 1000)) == 1);
  CHECK(drain(backlog) == "1[2-2]");
}

TEST_CASE("an inbox holds no more than its limit") {
  Inbox inbox(100);
  const auto is_ringing = [&] {
    pollfd fd{inbox.fd(), POLLIN, 0};
    return ::poll(&fd, 1, 0) == 1;
  };
  CHECK_FALSE(is_ringing());
  for (std::uint64_t i = 1; i <= 50; ++i) inbox.put(batch(i, i));
  CHECK(is_ringing());
  CHECK(inbox.take().size() == 10);
  CHECK_FALSE(is_ringing());
  CHECK(inbox.take().empty());
  inbox.put(batch(60, 60));
  CHECK(inbox.take().size() == 1);
  CHECK_FALSE(inbox.is_closed());
  inbox.close();
  CHECK(inbox.is_closed());
  CHECK(is_ringing());
}

TEST_CASE("a line becomes a message as RFC 5424 has it") {
  const SyslogFormat format("host.example", 42);
  const std::string blocked = R"({"ts": 1795940360.5, "event": "blocked", "client": "10.0.0.1"})";
  CHECK(format.message(blocked) ==
        "<108>1 2026-11-29T08:19:20.500Z host.example leash 42 blocked - " + blocked);
  CHECK(format.message(R"({"ts": 1.0, "event": "allowed"})")
            .starts_with("<110>1 1970-01-01T00:00:01.000Z host.example leash 42 allowed - {"));
  CHECK(format.message(gap_line(1, 2)).find(" gap - {\"ts\"") != std::string::npos);
  // Whatever the line is, the head is one.
  CHECK(SyslogFormat("", 1).message("nonsense") == "<110>1 - - leash 1 - - nonsense");
  CHECK(SyslogFormat("a b\n", 1).message(R"({"ts": nan, "event": "a b"})") ==
        R"(<110>1 - a?b? leash 1 a?b - {"ts": nan, "event": "a b"})");
}

TEST_CASE("a line that is too long loses bodies and headers, and says so") {
  const std::string line =
      R"({"ts": 1.5, "event": "allowed", "url": "http://a/\udcff", )"
      R"("req_headers": [["A", "b"]], "req_body": "\"}", "seq": 3, "chain": "00"})";
  CHECK(
      shorten_line(line) ==
      R"({"ts": 1.5, "event": "allowed", "url": "http://a/\udcff", "seq": 3, "chain": "00", "shortened": true})");
  CHECK_FALSE(shorten_line("nonsense"));
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un out{};
  out.sun_family = AF_UNIX;
  std::memcpy(out.sun_path, path.data(), path.size());
  return out;
}

base::Fd bound(const std::string& path, int type) {
  base::Fd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  const sockaddr_un address = address_of(path);
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

TEST_CASE("a syslog daemon that comes later and goes in between gets what waits") {
  const TempDir dir;
  const std::string path = dir.file("log");
  base::SyslogTarget target;
  target.path = path;
  SyslogSink sink(target);
  const auto receive = [](const base::Fd& fd) {
    std::string message(4096, '\0');
    const ssize_t count = ::recv(fd.get(), message.data(), message.size(), 0);
    message.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return message;
  };
  sink.offer(std::make_shared<const LineBatch>(LineBatch{1, 1, "one\n"}));
  {
    const base::Fd daemon = bound(path, SOCK_DGRAM);
    CHECK(receive(daemon).ends_with(" - one"));
  }
  ::unlink(path.c_str());
  sink.offer(std::make_shared<const LineBatch>(LineBatch{2, 3, "two\nthree\n"}));
  const base::Fd daemon = bound(path, SOCK_DGRAM);
  CHECK(receive(daemon).ends_with(" - two"));
  CHECK(receive(daemon).ends_with(" - three"));
  CHECK(becomes_true([&] { return sink.counts().lines == 3; }));
  CHECK(sink.counts().lost == 0);
}

TEST_CASE("a dead syslog daemon costs a bounded number of lines, and they are counted") {
  const TempDir dir;
  base::SyslogTarget target;
  target.path = dir.file("nobody");
  SyslogSink sink(target, 1000);
  for (std::uint64_t i = 1; i <= 200; ++i) sink.offer(batch(i, i));
  CHECK(becomes_true([&] { return sink.counts().lost == 100; }));
  CHECK(sink.counts().lines == 0);
}

TEST_CASE("a reader of the socket that does not read misses lines, and the others do not") {
  const TempDir dir;
  const std::string path = dir.file("lines");
  base::Fd listener = bound(path, SOCK_STREAM | SOCK_NONBLOCK);
  REQUIRE(::listen(listener.get(), 8) == 0);
  SocketSink sink(std::move(listener), path, {.readers = 2, .backlog_bytes = 64 * 1024});
  CHECK_FALSE(sink.wants());
  const auto reader = [&] {
    base::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_un address = address_of(path);
    REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    return fd;
  };
  const auto read_until = [](const base::Fd& fd, std::string_view end) {
    std::string out;
    std::string piece(64 * 1024, '\0');
    while (!out.ends_with(end)) {
      const ssize_t count = ::recv(fd.get(), piece.data(), piece.size(), 0);
      if (count <= 0) break;
      out.append(piece, 0, static_cast<std::size_t>(count));
    }
    return out;
  };
  const base::Fd slow = reader();
  const base::Fd quick = reader();
  CHECK(becomes_true([&] { return sink.counts().peers == 2; }));
  {
    const base::Fd third = reader();
    CHECK(read_until(third, "\n").empty());  // sent away
  }
  std::string all;
  for (std::uint64_t i = 1; i <= 200; ++i) {
    const std::string line = std::to_string(i) + std::string(5000, '.') + "\n";
    sink.offer(std::make_shared<const LineBatch>(LineBatch{i, i, line}));
    CHECK(read_until(quick, "\n") == line);
    all += line;
  }
  const std::uint64_t lost = sink.counts().lost;
  CHECK(lost > 0);
  sink.offer(std::make_shared<const LineBatch>(LineBatch{201, 201, "the end\n"}));
  CHECK(read_until(quick, "the end\n") == "the end\n");
  // The slow one: a prefix, the gap, and what came once it read again. The last line may be in it.
  std::string got;
  while (got.find("\"event\": \"gap\"") == std::string::npos) {
    const std::string more = read_until(slow, "\n");
    REQUIRE_FALSE(more.empty());
    got += more;
  }
  const std::size_t at = got.find("{\"ts\"");
  CHECK(all.starts_with(got.substr(0, at)));
  const std::uint64_t had = static_cast<std::uint64_t>(
      std::count(got.begin(), got.begin() + static_cast<long>(at), '\n'));
  const auto gap = split_lines(got.substr(at)).front();
  const auto view = LineView::parse(gap);
  REQUIRE(view);
  CHECK(view->integer("first") == had + 1);
  CHECK(*view->integer("last") >= 200);
  CHECK(sink.counts().lost == *view->integer("lines"));
}

TEST_CASE("the writer feeds its sinks what is in the file") {
  class Keeper : public Sink {
   public:
    bool wants() const override { return true; }
    void offer(SharedBatch given) override {
      CHECK(given->first == next);
      next = given->last + 1;
      text += given->text;
    }
    Counts counts() const override { return {}; }
    std::string_view name() const override { return "keeper"; }
    std::uint64_t next = 1;
    std::string text;
  };
  const TempDir dir;
  const auto keeper = std::make_shared<Keeper>();
  {
    LogWriter::Options options;
    options.path = dir.file("log");
    options.checkpoint_lines = 7;
    options.sign = [](std::string_view) { return std::string(64, 's'); };
    options.sinks = {keeper};
    auto writer = LogWriter::open(options);
    REQUIRE(writer);
    for (int i = 0; i < 50; ++i) (*writer)->append(note(std::to_string(i)));
    REQUIRE(put(**writer, "last"));
  }
  CHECK(keeper->text == read_file(dir.file("log")));
}

}  // namespace
}  // namespace leash::audit
