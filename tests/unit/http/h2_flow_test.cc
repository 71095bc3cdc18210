// Our client against our server: streaming, back-pressure, windows.
#include <doctest/doctest.h>

#include "h2_support.h"

using namespace leash::http;
using namespace leash::http::test;

TEST_CASE("an exchange with bodies, interim head and trailers goes round") {
  Pair pair;
  RequestHead head = request("POST", "/echo");
  head.body.framing = Framing::kChunked;
  const auto id = pair.client.start(head, false).value();
  pair.client.send_body(id, "question");
  Fields up;
  up.add("X-Sum", "1");
  pair.client.send_end(id, up);
  pair.run();
  CHECK(pair.server_log.log.text() == "request 1 POST /echo; body 1 question; end 1 x-sum=1");
  ResponseHead hints = response(103);
  pair.server.send_head(id, hints, false);
  pair.server.send_head(id, response(200), false);
  pair.server.send_body(id, "answer");
  Fields down;
  down.add("Grpc-Status", "0");
  down.add("Content-Length", "6");
  pair.server.send_end(id, down);
  pair.run();
  CHECK(pair.client_log.log.text() ==
        "head 1 103; head 1 200; body 1 answer; end 1 grpc-status=0; closed 1");
  CHECK(pair.server_log.log.text().ends_with("closed 1"));
  CHECK(pair.server.active_streams() == 0);
  CHECK(pair.client.active_streams() == 0);
}

TEST_CASE("a hundred streams at once keep their bytes apart") {
  Pair pair;
  pair.run();
  for (int i = 0; i < 100; ++i) {
    const auto id = pair.client.start(request("POST", "/" + std::to_string(i)), false).value();
    pair.client.send_body(id, "body of " + std::to_string(i));
    pair.client.send_end(id);
  }
  pair.run();
  REQUIRE(pair.server_log.heads.size() == 100);
  for (int i = 0; i < 100; ++i) {
    pair.server.send_head(2 * i + 1, response(200), false);
    pair.server.send_body(2 * i + 1, std::string(1000, static_cast<char>('a' + i % 26)));
    pair.server.send_end(2 * i + 1);
  }
  pair.run();
  CHECK(pair.client_log.body_bytes == 100'000);
  CHECK(pair.client.active_streams() == 0);
}

TEST_CASE("a large body streams through, and on_sendable asks for more") {
  Pair pair;
  pair.client_log.keeps_bodies = false;
  const auto id = pair.client.start(request(), true).value();
  pair.run();
  pair.server.send_head(id, response(200), false);
  const std::string piece(256 * 1024, 'x');
  pair.server.send_body(id, piece);
  CHECK(pair.server.queued_bytes(id) == piece.size());
  std::size_t sent = piece.size();
  const auto& lines = pair.server_log.log.lines;
  std::size_t heard = lines.size();
  while (pair.step()) {
    for (; heard < lines.size(); ++heard) {
      if (lines[heard] != "sendable 1") continue;
      CHECK(pair.server.queued_bytes(id) <= H2Limits{}.low_mark_bytes);
      if (sent == 8 * piece.size()) {
        pair.server.send_end(id);
      } else {
        pair.server.send_body(id, piece);
        sent += piece.size();
      }
    }
  }
  CHECK(sent == 8 * piece.size());
  CHECK(pair.client_log.body_bytes == sent);
  CHECK(pair.client.active_streams() == 0);
}

TEST_CASE("output holds about its mark, however much is queued") {
  ServerBench bench;
  bench.feed(hello() + settings({{4, 0x7fffffff}}) + window_update(0, 0x7fff0000 - 65'535) +
             headers(1, get()));
  bench.session.send_head(1, response(200), false);
  bench.session.send_body(1, std::string(4 * 1024 * 1024, 'x'));
  std::size_t all = 0;
  for (std::string* out = &bench.session.output(); !out->empty(); out = &bench.session.output()) {
    CHECK(out->size() <= 64 * 1024 + 16'384 + 9);
    all += out->size();
    out->clear();
  }
  CHECK(all > 4 * 1024 * 1024);
}

TEST_CASE("a stream that is not consumed stalls alone") {
  Pair pair;
  pair.server_log.consume_for = nullptr;
  pair.server_log.keeps_bodies = false;
  pair.run();
  const auto slow = pair.client.start(request("POST", "/slow"), false).value();
  pair.client.send_body(slow, std::string(1024 * 1024, 'x'));
  pair.run();
  CHECK(pair.server_log.body_bytes == 64 * 1024);
  const auto fast = pair.client.start(request("POST", "/fast"), false).value();
  pair.client.send_body(fast, std::string(10'000, 'y'));
  pair.client.send_end(fast);
  pair.run();
  CHECK(pair.server_log.body_bytes == 64 * 1024 + 10'000);
  CHECK(pair.server_log.log.lines.back() == "end 3");
  // Half of it goes on: so much more may come.
  pair.server.consume(slow, 32 * 1024);
  pair.run();
  CHECK(pair.server_log.body_bytes == 96 * 1024 + 10'000);
}

TEST_CASE("all streams stalled at once fit into the connection's window") {
  Pair pair;
  pair.server_log.consume_for = nullptr;
  pair.server_log.keeps_bodies = false;
  pair.run();
  const std::string body(128 * 1024, 'x');
  for (int i = 0; i < 127; ++i) {
    pair.client.send_body(pair.client.start(request("POST"), false).value(), body);
  }
  pair.run();
  CHECK(pair.server_log.body_bytes == 127 * 64 * 1024);
  const auto last = pair.client.start(request("POST", "/last"), false).value();
  pair.client.send_body(last, "through");
  pair.run();
  CHECK(pair.server_log.body_bytes == 127 * 64 * 1024 + 7);
}

TEST_CASE("windows grow for streams that are read, to a bound and within the budget") {
  H2Limits limits;
  limits.connection_window_bytes = 128 * 64 * 1024 + 1024 * 1024;
  Pair pair(limits);
  pair.server_log.keeps_bodies = false;
  pair.run();
  std::vector<std::int32_t> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(pair.client.start(request("POST"), false).value());
  for (int round = 0; round < 200; ++round) {
    for (const auto id : ids) pair.client.send_body(id, std::string(64 * 1024, 'x'));
    pair.run();
  }
  CHECK(pair.server_log.body_bytes == 200 * 3 * 64 * 1024);
  // Now nobody reads: what still comes is the sum of the windows.
  pair.server_log.consume_for = nullptr;
  pair.server_log.body_bytes = 0;
  for (const auto id : ids) pair.client.send_body(id, std::string(4 * 1024 * 1024, 'x'));
  pair.run();
  CHECK(pair.server_log.body_bytes > 3 * 64 * 1024);
  CHECK(pair.server_log.body_bytes <= 3 * 64 * 1024 + 1024 * 1024);
}

TEST_CASE("a client with a closed window holds the server's bytes, not its other streams") {
  ServerBench bench;
  bench.feed(hello() + settings({{4, 0}}) + headers(1, get()) + headers(3, get()));
  bench.session.send_head(1, response(200), false);
  bench.session.send_body(1, std::string(100'000, 'x'));
  bench.session.send_head(3, response(200), false);
  bench.session.send_body(3, "hello");
  bench.take();
  CHECK(bench.session.queued_bytes(1) == 100'000);
  bench.feed(window_update(3, 100));
  CHECK(bench.session.queued_bytes(3) == 0);
  CHECK(bench.session.queued_bytes(1) == 100'000);
}

TEST_CASE("streams take turns on one connection") {
  ServerBench bench;
  bench.feed(hello() + settings({{4, 0x7fffffff}}) + window_update(0, 10'000'000) +
             headers(1, with(get(), {{"priority", "u=0"}})) + headers(3, get()));
  for (const int id : {1, 3}) {
    bench.session.send_head(id, response(200), false);
    bench.session.send_body(id, std::string(200'000, 'x'));
  }
  std::string& out = bench.session.output();
  std::size_t first = 0;
  std::size_t second = 0;
  for (const Frame& f : frames_of(out)) {
    if (f.type == 0) (f.stream == 1 ? first : second) += f.payload.size();
  }
  CHECK(first > 0);
  CHECK(second > 0);
}

TEST_CASE("the memory of an empty output can be lent to others") {
  Pair pair;
  pair.client_log.keeps_bodies = false;
  const auto id = pair.client.start(request(), true).value();
  pair.run();
  pair.server.send_head(id, response(200), false);
  pair.server.send_body(id, std::string(60'000, 'x'));
  std::string& out = pair.server.output();
  CHECK(out.size() > 60'000);
  CHECK(pair.server.take_buffer().empty());
  CHECK(out.size() > 60'000);
  out.clear();
  CHECK(pair.server.output().empty());
  CHECK(pair.server.take_buffer().capacity() > 60'000);
  CHECK(pair.server.wants_buffer());
  std::string lent;
  lent.reserve(5000);
  pair.server.lend_buffer(std::move(lent));
  CHECK_FALSE(pair.server.wants_buffer());
}

TEST_CASE("a frame that fits in a string without memory is no room for another buffer") {
  Pair pair;
  pair.run();
  CHECK(pair.server.output().empty());
  static_cast<void>(pair.server.take_buffer());
  CHECK(pair.server.wants_buffer());
  const std::string settings("\x00\x00\x00\x04\x00\x00\x00\x00\x00", 9);
  REQUIRE(pair.server.receive(settings, {}));  // is acknowledged by 9 bytes
  CHECK_FALSE(pair.server.wants_buffer());
  CHECK(pair.server.output().size() == 9);
}
