#include "net/stream.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <functional>
#include <optional>
#include <string>

#include "support/run_until.h"

using namespace std::chrono_literals;
using leash::base::Error;
using leash::base::Fd;
using leash::net::Loop;
using leash::net::Stream;
using leash::net::Timer;
using leash::test::run_until;

namespace {

struct Pair {
  Fd near;
  Fd far;
};

Pair make_pair(int type = SOCK_STREAM) {
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) == 0);
  return {Fd(fds[0]), Fd(fds[1])};
}

// Two TCP sockets over loopback: resets and FINs behave otherwise than on a socketpair.
Pair make_tcp_pair() {
  const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(listener.get(), 1) == 0);
  REQUIRE(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  Fd near(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::connect(near.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  Fd far(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  REQUIRE(far.is_open());
  return {std::move(near), std::move(far)};
}

struct Recorder : Stream::Handler {
  std::string bytes;
  int eofs = 0;
  int drains = 0;
  std::optional<Error> error;
  int calls = 0;
  std::function<void(std::string_view)> then;

  void on_bytes(std::string_view more) override {
    ++calls;
    bytes.append(more);
    if (then) then(more);
  }
  void on_eof() override {
    ++calls;
    ++eofs;
  }
  void on_error(Error the_error) override {
    ++calls;
    CHECK_FALSE(error.has_value());
    error = std::move(the_error);
  }
  void on_drained() override {
    ++calls;
    ++drains;
  }
};

void put(const Fd& fd, std::string_view bytes) {
  REQUIRE(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(bytes.size()));
}

// What is there now, without waiting; "" also at the end.
std::string take(const Fd& fd) {
  std::string out;
  char buffer[65536];
  for (;;) {
    const ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (n <= 0) return out;
    out.append(buffer, static_cast<std::size_t>(n));
  }
}

bool is_at_end(const Fd& fd) {
  char byte = 0;
  return ::recv(fd.get(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

void reset(Fd& fd) {
  const linger now{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  fd.reset();
}

std::string pattern(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 2654435761u >> 13);
  return out;
}

void settle(Loop& loop) {  // a few turns, so that whatever can happen has happened
  for (int i = 0; i < 3; ++i) {
    bool end = false;
    Timer timer(loop, [&] { end = true; });
    timer.start(0ms);
    REQUIRE(run_until(loop, [&] { return end; }));
  }
}

}  // namespace

TEST_CASE("reading starts paused; bytes come after resume") {
  Loop loop;
  // Names, not bindings: clang 14 captures none of those.
  Pair ends = make_pair();
  Fd& near = ends.near;
  Fd& far = ends.far;
  Recorder recorder;
  Stream stream(loop, std::move(near), recorder);
  put(far, "hello");
  settle(loop);
  CHECK(recorder.calls == 0);
  CHECK_FALSE(stream.is_reading());
  CHECK_FALSE(stream.is_quiet());
  stream.resume_reading();
  CHECK(run_until(loop, [&] { return recorder.bytes == "hello"; }));
  CHECK(stream.bytes_in() == 5);
  CHECK(stream.is_quiet());
}

TEST_CASE("what one stream reads inside another's callback leaves that one's bytes alone") {
  Loop loop;
  Pair first = make_pair();
  Pair second = make_pair();
  Recorder outer;
  Recorder inner;
  Stream one(loop, std::move(first.near), outer);
  Stream two(loop, std::move(second.near), inner);
  std::string seen;
  outer.then = [&](std::string_view bytes) {
    two.resume_reading();
    two.read_waiting();
    seen = bytes;
  };
  put(first.far, "what the client sent");
  put(second.far, "WHAT THE ORIGIN SAID");
  one.resume_reading();
  CHECK(run_until(loop, [&] { return !seen.empty(); }));
  CHECK(seen == "what the client sent");
  CHECK(inner.bytes == "WHAT THE ORIGIN SAID");
}

TEST_CASE("a handler that pauses inside on_bytes gets no more until it resumes") {
  Loop loop;
  Pair ends = make_tcp_pair();
  Fd& near = ends.near;
  Fd& far = ends.far;
  Recorder recorder;
  Stream stream(loop, std::move(near), recorder);
  recorder.then = [&](std::string_view) { stream.pause_reading(); };
  const std::string text = pattern(300'000);
  std::size_t sent = 0;
  const auto feed = [&] {
    while (sent < text.size()) {
      const ssize_t n =
          ::send(far.get(), text.data() + sent, text.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n <= 0) return;
      sent += static_cast<std::size_t>(n);
    }
  };
  feed();
  while (recorder.bytes.size() < text.size()) {
    const int before = recorder.calls;
    stream.resume_reading();
    REQUIRE(run_until(loop, [&] { return recorder.calls > before; }));
    settle(loop);
    REQUIRE(recorder.calls == before + 1);
    feed();
  }
  CHECK(recorder.bytes == text);
}

TEST_CASE("a fast peer does not hold the loop for more than a few buffers") {
  Loop loop;
  Pair ends = make_tcp_pair();
  Fd& near = ends.near;
  Fd& far = ends.far;
  Recorder recorder;
  Stream stream(loop, std::move(near), recorder);
  const std::string chunk = pattern(Loop::kReadBufferBytes);
  recorder.then = [&](std::string_view) {  // refills as fast as it is read
    ::send(far.get(), chunk.data(), chunk.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  };
  put(far, chunk);
  stream.resume_reading();
  bool posted = false;
  loop.post([&] { posted = true; });
  CHECK(run_until(loop, [&] { return posted; }));
  CHECK(recorder.calls < 50);
}

TEST_CASE("writes go out at once and in order, the rest when the peer reads") {
  Loop loop;
  Pair ends = make_pair();
  Fd& near = ends.near;
  Fd& far = ends.far;
  Recorder recorder;
  Stream stream(loop, std::move(near), recorder);
  stream.write("first ");
  CHECK(stream.queued_bytes() == 0);
  CHECK(take(far) == "first ");

  std::string expected;
  std::size_t i = 0;
  while (stream.queued_bytes() < 3'000'000) {  // small and large pieces
    const std::string piece = pattern(1 + (i++ * 7919) % 40'000);
    expected += piece;
    stream.write(piece);
  }
  CHECK(recorder.calls == 0);
  std::string got;
  CHECK(run_until(loop, [&] {
    got += take(far);
    return got.size() == expected.size();
  }));
  CHECK(got == expected);
  settle(loop);
  CHECK(recorder.drains == 1);
  CHECK(stream.queued_bytes() == 0);
  CHECK(stream.bytes_out() == expected.size() + 6);
}

TEST_CASE("the end of the peer's direction is told once, and writing goes on") {
  Loop loop;
  Pair ends = make_tcp_pair();
  Fd& near = ends.near;
  Fd& far = ends.far;
  Recorder recorder;
  Stream stream(loop, std::move(near), recorder);
  put(far, "last words");
  ::shutdown(far.get(), SHUT_WR);
  stream.resume_reading();
  CHECK(run_until(loop, [&] { return recorder.eofs == 1; }));
  CHECK(recorder.bytes == "last words");
  stream.pause_reading();
  stream.resume_reading();
  settle(loop);
  CHECK(recorder.eofs == 1);
  CHECK_FALSE(stream.is_quiet());
  stream.write("answer");
  stream.finish_writing();
  CHECK(run_until(loop, [&] { return take(far) == "answer"; }));
  CHECK(is_at_end(far));
  stream.write("too late");
  CHECK(stream.bytes_out() == 6);
  CHECK_FALSE(recorder.error.has_value());
}

TEST_CASE("finish_writing waits for the queue") {
  Loop loop;
  Pair ends = make_pair();
  Fd& near = ends.near;
  Fd& far = ends.far;
  Recorder recorder;
  Stream stream(loop, std::move(near), recorder);
  const std::string text = pattern(2'000'000);
  stream.write(text);
  CHECK(stream.queued_bytes() > 0);
  stream.finish_writing();
  std::string got;
  CHECK(run_until(loop, [&] {
    got += take(far);
    return is_at_end(far);
  }));
  CHECK(got == text);
}

TEST_CASE("a reset while reading is an error of the side that was named") {
  Loop loop;
  Pair ends = make_tcp_pair();
  Fd& near = ends.near;
  Fd& far = ends.far;
  Recorder recorder;
  Stream stream(loop, std::move(near), recorder, leash::base::Fault::kClient);
  stream.resume_reading();
  reset(far);
  CHECK(run_until(loop, [&] { return recorder.error.has_value(); }));
  CHECK(recorder.error->code == leash::base::Code::kReset);
  CHECK(recorder.error->fault == leash::base::Fault::kClient);
  CHECK_FALSE(stream.is_open());
  CHECK(recorder.calls == 1);
}

TEST_CASE("a dead peer is noticed by a write, never inside it and without SIGPIPE") {
  Loop loop;
  Pair ends = make_pair();
  Fd& near = ends.near;
  Fd& far = ends.far;
  Recorder recorder;
  Stream stream(loop, std::move(near), recorder);
  far.reset();
  stream.write("x");
  CHECK(recorder.calls == 0);
  stream.write("y");
  CHECK_FALSE(stream.is_quiet());
  CHECK(run_until(loop, [&] { return recorder.error.has_value(); }));
  CHECK(stream.bytes_out() == 0);
  CHECK(recorder.calls == 1);
}

TEST_CASE("a peer that dies with bytes of ours in the queue is an error") {
  Loop loop;
  Pair ends = make_tcp_pair();
  Fd& near = ends.near;
  Fd& far = ends.far;
  Recorder recorder;
  Stream stream(loop, std::move(near), recorder);
  while (stream.queued_bytes() == 0) stream.write(pattern(1'000'000));
  reset(far);
  CHECK(run_until(loop, [&] { return recorder.error.has_value(); }));
  CHECK(recorder.drains == 0);
  CHECK(stream.queued_bytes() == 0);
}

TEST_CASE("an early answer is handed over before the error of our own write") {
  Loop loop;
  Pair ends = make_pair();
  Fd& near = ends.near;
  Fd& far = ends.far;
  Recorder recorder;
  Stream stream(loop, std::move(near), recorder);
  put(far, "413 too large");
  far.reset();
  stream.resume_reading();
  stream.write("body");  // EPIPE, known before anything was read
  CHECK(run_until(loop, [&] { return recorder.error.has_value() || recorder.eofs > 0; }));
  CHECK(recorder.bytes == "413 too large");
  CHECK(run_until(loop, [&] { return recorder.error.has_value(); }));
}

TEST_CASE("after close nothing is called any more, also when close comes from inside") {
  Loop loop;
  Pair ends = make_pair();
  Fd& near = ends.near;
  Fd& far = ends.far;
  Recorder recorder;
  Stream stream(loop, std::move(near), recorder);
  put(far, "bye");
  recorder.then = [&](std::string_view) { stream.close(); };
  stream.resume_reading();
  CHECK(run_until(loop, [&] { return recorder.calls == 1; }));
  CHECK_FALSE(stream.is_open());
  CHECK(is_at_end(far));
  stream.write("x");
  stream.resume_reading();
  stream.pause_reading();
  stream.finish_writing();
  CHECK_FALSE(stream.is_quiet());
  settle(loop);
  CHECK(recorder.calls == 1);
}

TEST_CASE("a write error that nobody waited for is dropped with the stream") {
  Loop loop;
  Pair ends = make_pair();
  Fd& near = ends.near;
  Fd& far = ends.far;
  Recorder recorder;
  {
    Stream stream(loop, std::move(near), recorder);
    far.reset();
    stream.write("x");
  }
  settle(loop);
  CHECK(recorder.calls == 0);
}

TEST_CASE("another handler takes over") {
  Loop loop;
  Pair ends = make_pair();
  Fd& near = ends.near;
  Fd& far = ends.far;
  Recorder first;
  Recorder second;
  Stream stream(loop, std::move(near), first);
  stream.resume_reading();
  put(far, "a");
  CHECK(run_until(loop, [&] { return first.bytes == "a"; }));
  stream.set_handler(second);
  put(far, "b");
  CHECK(run_until(loop, [&] { return second.bytes == "b"; }));
  CHECK(first.bytes == "a");
}

TEST_CASE("a gentle close delivers the queue, then FIN, and outlives its owner") {
  Loop loop;
  Pair ends = make_tcp_pair();
  Fd& near = ends.near;
  Fd& far = ends.far;
  Recorder recorder;
  const std::string text = pattern(8'000'000);
  {
    auto stream = std::make_unique<Stream>(loop, std::move(near), recorder);
    stream->write(text);
    CHECK(stream->queued_bytes() > 0);
    Stream::close_gently(std::move(stream), 10s);
  }
  put(far, "still talking");  // would make a RST out of an ordinary close
  std::string got;
  CHECK(run_until(loop, [&] {
    got += take(far);
    return is_at_end(far);
  }));
  CHECK(got == text);
  far.reset();
  settle(loop);
  CHECK(recorder.calls == 0);
}

TEST_CASE("a gentle close from inside on_bytes does not destroy the stream under its feet") {
  Loop loop;
  Pair ends = make_tcp_pair();
  Fd& near = ends.near;
  Fd& far = ends.far;
  Recorder recorder;
  auto stream = std::make_unique<Stream>(loop, std::move(near), recorder);
  recorder.then = [&](std::string_view) {
    stream->write("400");
    Stream::close_gently(std::move(stream), 10s);
  };
  put(far, "GET");
  ::shutdown(far.get(), SHUT_WR);
  stream->resume_reading();
  CHECK(run_until(loop, [&] { return is_at_end(far) || take(far) == "400"; }));
  CHECK(run_until(loop, [&] { return is_at_end(far); }));
  CHECK(recorder.calls == 1);
}

TEST_CASE("a gentle close ends after its grace when the peer neither reads nor closes") {
  Loop loop;
  Pair ends = make_tcp_pair();
  Fd& near = ends.near;
  Fd& far = ends.far;
  Recorder recorder;
  auto stream = std::make_unique<Stream>(loop, std::move(near), recorder);
  while (stream->queued_bytes() == 0) stream->write(pattern(1'000'000));
  Stream::close_gently(std::move(stream), 10ms);
  // The far side sees the end only when the near one has given up: FIN comes after the queue
  // otherwise.
  CHECK(run_until(loop, [&] {
    take(far);
    return is_at_end(far) || ::send(far.get(), "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0;
  }));
}

TEST_CASE("what goes with a gentle close is let go with the descriptor") {
  Loop loop;
  Pair ends = make_tcp_pair();
  Recorder recorder;
  auto stream = std::make_unique<Stream>(loop, std::move(ends.near), recorder);
  auto companion = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = companion;
  Stream::close_gently(std::move(stream), 10s, std::move(companion));
  settle(loop);
  CHECK_FALSE(watch.expired());
  ends.far.reset();
  CHECK(run_until(loop, [&] { return watch.expired(); }));
}

TEST_CASE("a gentle close of a dead stream is just a burial") {
  Loop loop;
  Pair ends = make_pair();
  Fd& near = ends.near;
  Fd& far = ends.far;
  Recorder recorder;
  auto stream = std::make_unique<Stream>(loop, std::move(near), recorder);
  stream->close();
  Stream::close_gently(std::move(stream), 10s);
  auto other = std::make_unique<Stream>(loop, std::move(far), recorder);
  other->write("x");  // EPIPE
  Stream::close_gently(std::move(other), 10s);
  Stream::close_gently(nullptr, 10s);
  settle(loop);
  CHECK(recorder.calls == 0);
}

TEST_CASE("a loop may end while streams still close gently") {
  Pair ends = make_tcp_pair();
  Fd& near = ends.near;
  Fd& far = ends.far;
  Recorder recorder;
  {
    Loop loop;
    auto stream = std::make_unique<Stream>(loop, std::move(near), recorder);
    Stream::close_gently(std::move(stream), 1h);
  }
  CHECK(is_at_end(far));
}
