// Each limit of DESIGN.md's table for HTTP/2: what stays under it passes, what goes over gets
// GOAWAY.
#include <doctest/doctest.h>

#include "h2_support.h"

using namespace leash::http;
using namespace leash::http::test;

namespace {

std::string times(int n, const std::string& bytes) {
  std::string out;
  for (int i = 0; i < n; ++i) out += bytes;
  return out;
}

void check_calm(const ServerBench& bench, std::string_view text) {
  REQUIRE_FALSE(bench.last);
  CHECK(bench.last.error().text() == text);
  CHECK(bench.last.error().fault == leash::base::Fault::kClient);
  CHECK(code_in(bench.sent, 7) == "ENHANCE_YOUR_CALM");
  CHECK(bench.session.active_streams() == 0);
  CHECK(bench.session.is_finished());
}

// `n` of them pass, some more do not; fed whole and byte by byte.
void check_flood(const std::string& before, const std::string& unit, int n, std::string_view text) {
  for (const Feed how : {Feed::kWhole, Feed::kByByte}) {
    ServerBench bench;
    bench.feed(hello() + before).feed(times(n, unit), how);
    CHECK(bench.last);
    bench.feed(times(100, unit), how);
    check_calm(bench, text);
  }
}

std::string open_and_reset(std::uint32_t first, int n) {
  std::string out;
  for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(n); ++i) {
    out += headers(first + 2 * i, get(), 0) + rst(first + 2 * i);
  }
  return out;
}

}  // namespace

TEST_CASE("rapid resets: 200 pass, more do not, and time brings them back") {
  ServerBench bench;
  bench.feed(hello() + open_and_reset(1, 200));
  CHECK(bench.last);
  bench.now += std::chrono::seconds(1);
  bench.feed(open_and_reset(1001, 200));
  CHECK(bench.last);
  bench.feed(open_and_reset(3001, 1));
  check_calm(bench, "http2_flood: stream resets");
}

TEST_CASE("resets that a client makes us send count like its own") {
  ServerBench bench;
  std::string bytes = hello();
  for (std::uint32_t i = 0; i < 201; ++i) {
    bytes += headers(1 + 2 * i, with(get(), {{"Upper", "x"}}));
  }
  for (const char c : bytes) {
    bench.feed({&c, 1});
    if (!bench.last) break;
  }
  check_calm(bench, "http2_flood: stream resets");
}

TEST_CASE("bad window updates draw resets, which count") {
  ServerBench bench;
  bench.feed(hello());
  for (std::uint32_t i = 0; i < 201 && bench.last; ++i) {
    bench.feed(headers(1 + 2 * i, get(), 0) + window_update(1 + 2 * i, 0x7fffffff));
  }
  check_calm(bench, "http2_flood: stream resets");
}

TEST_CASE("a whole batch of provoked resets in one read is caught too") {
  ServerBench bench;
  std::string bytes = hello();
  for (std::uint32_t i = 0; i < 5000; ++i) bytes += headers(1 + 2 * i, with(get(), {{"te", "x"}}));
  bench.feed(bytes);
  REQUIRE_FALSE(bench.last);
  CHECK(code_in(bench.sent, 7) == "ENHANCE_YOUR_CALM");
}

TEST_CASE("floods of cheap frames end the connection") {
  check_flood("", settings(), 99, "http2_flood: SETTINGS frames");
  check_flood("", ping(), 1000, "http2_flood: PING frames");
  check_flood("", frame(2, 0, 1, be32(0) + "x"), 1000, "http2_flood: PRIORITY frames");
  check_flood("", window_update(0, 1), 4000, "http2_flood: WINDOW_UPDATE frames");
  check_flood("", frame(0x7f, 0, 0, "x"), 1000, "http2_flood: frames of other kinds");
  const std::string post = headers(1, but(get(), ":method", "POST"), 0);
  check_flood(post, data(1, ""), 1000, "http2_flood: empty DATA frames");
  check_flood(post, frame(0, kPadded, 1, std::string("\x02\0\0", 3)), 1000,
              "http2_flood: empty DATA frames");
}

TEST_CASE("frames for streams that are closed are counted as well") {
  check_flood(headers(1, get()) + rst(1), window_update(1, 1), 4000,
              "http2_flood: WINDOW_UPDATE frames");
}

TEST_CASE("window updates that answer our DATA are no flood") {
  ServerBench bench;
  bench.feed(hello() + headers(1, get()));
  bench.session.send_head(1, response(200), false);
  for (int i = 0; i < 10'000 && bench.last; ++i) {
    bench.session.send_body(1, std::string(1000, 'x'));
    bench.take();
    bench.feed(window_update(0, 1000) + window_update(1, 1000));
    bench.sent.clear();
  }
  CHECK(bench.last);
}

TEST_CASE("a header block in too many CONTINUATION frames ends the connection") {
  for (const Feed how : {Feed::kWhole, Feed::kByByte}) {
    ServerBench bench;
    bench.feed(
        hello() + frame(1, 0, 1, block(get())) + times(9, frame(9, 0, 1, block({{"x", "y"}}))),
        how);
    check_calm(bench, "http2_flood: CONTINUATION frames");
  }
  ServerBench fine;
  fine.feed(hello() + frame(1, kEndStream, 1, block(get())) +
            times(4, frame(9, 0, 1, block({{"x", "y"}}))) + frame(9, kEndHeaders, 1));
  CHECK(fine.heard() == "request 1 GET / ends");
}

TEST_CASE("CONTINUATION frames of a block that nobody wants are counted") {
  ServerBench bench;
  bench.feed(hello() + headers(1, get()) + rst(1) + frame(1, 0, 1, block({{"x", "y"}})) +
             times(9, frame(9, 0, 1)));
  check_calm(bench, "http2_flood: CONTINUATION frames");
}

TEST_CASE("a header list over 64 KiB ends the connection") {
  for (const Feed how : {Feed::kWhole, Feed::kByByte}) {
    ServerBench bench;
    std::string bytes = hello() + frame(1, 0, 1, block(get()));
    for (int i = 0; i < 5; ++i) bytes += frame(9, 0, 1, block({{"x", std::string(15'000, 'a')}}));
    bench.feed(bytes, how);
    check_calm(bench, "head_too_large: header list");
  }
}

TEST_CASE("an entry of the HPACK table that is named over and over ends the connection") {
  ServerBench bench;
  // Literal with incremental indexing (RFC 7541 s. 6.2.1), then its index 62 again and again.
  const std::string entry = "\x40" + hpack_string("x") + hpack_string(std::string(4000, 'a'));
  bench.feed(hello() + frame(1, kEndHeaders, 1, block(get()) + entry + std::string(4000, '\xbe')));
  check_calm(bench, "head_too_large: header list");
}

TEST_CASE("more than 128 fields end the connection, and the crumbs of a cookie are one") {
  Names many = get();
  for (int i = 0; i < 128; ++i) many.emplace_back("x" + std::to_string(i), "y");
  for (int i = 0; i < 200; ++i) many.emplace_back("cookie", "c=" + std::to_string(i));
  ServerBench bench;
  bench.feed(hello() + headers(1, without(many, "cookie")));
  CHECK(bench.last);
  many = without(many, "x0");
  bench.feed(headers(3, many));
  CHECK(bench.last);
  many.emplace_back("x128", "y");
  bench.feed(headers(5, many));
  check_calm(bench, "too_many_fields: header list");
}

TEST_CASE("an HPACK table larger than 4 KiB is a connection error") {
  ServerBench bench;
  // A dynamic table size update to 8192 (RFC 7541 s. 6.3).
  bench.feed(hello() + frame(1, kEndHeaders | kEndStream, 1, "\x3f\xe1\x3f" + block(get())));
  REQUIRE_FALSE(bench.last);
  CHECK(code_in(bench.sent, 7) == "COMPRESSION_ERROR");
}

TEST_CASE("more streams than 128 at once: refused until SETTINGS are known, then the end") {
  ServerBench bench;
  std::string bytes = hello();
  for (std::uint32_t i = 0; i < 130; ++i) bytes += headers(1 + 2 * i, get());
  bench.feed(bytes);
  CHECK(bench.last);
  CHECK(bench.session.active_streams() == 128);
  CHECK(code_in(bench.sent, 3) == "REFUSED_STREAM");
  bench.feed(frame(4, kAck, 0) + headers(1001, get()));
  check_calm(bench, "too_many_streams: concurrent streams");
}

TEST_CASE("an origin that floods is cut off and blamed") {
  ClientBench bench;
  bench.feed(settings() + times(3000, ping()));
  REQUIRE_FALSE(bench.last);
  CHECK(bench.last.error().text() == "http2_flood: PING frames");
  CHECK(bench.last.error().fault == leash::base::Fault::kOrigin);
}

TEST_CASE("a client that reads nothing cannot make us queue without end") {
  ServerBench bench;
  auto last = bench.session.receive(hello(), bench.now);
  // One second between each hundred: no bucket runs out, yet no answer is taken.
  for (int i = 0; i < 200 && last; ++i) {
    bench.now += std::chrono::seconds(1);
    last = bench.session.receive(times(100, ping()), bench.now);
  }
  REQUIRE_FALSE(last);
  CHECK(last.error().code == leash::base::Code::kHttp2Flood);
}
