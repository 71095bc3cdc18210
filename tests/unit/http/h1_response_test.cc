#include <doctest/doctest.h>

#include <initializer_list>
#include <string>

#include "http/h1_parser.h"
#include "unit/http/h1_feed.h"

namespace leash::http {
namespace {

Seen<ResponseHead> parse(std::string_view bytes,
                         std::initializer_list<std::string_view> methods = {"GET"},
                         const Limits& limits = {}) {
  auto whole = feed_responses(bytes, bytes.size(), methods, limits);
  for (const std::size_t piece : {1, 2, 7}) {
    CAPTURE(piece);
    CHECK(feed_responses(bytes, piece, methods, limits) == whole);
  }
  return whole;
}

std::string error_of(std::string_view bytes,
                     std::initializer_list<std::string_view> methods = {"GET"}) {
  return parse(bytes, methods).error_word();
}

ResponseHead head_of(std::string_view bytes,
                     std::initializer_list<std::string_view> methods = {"GET"}) {
  auto seen = parse(bytes, methods);
  CHECK(seen.error_word() == "none");
  REQUIRE(seen.heads.size() == 1);
  CHECK(seen.trailers.size() == 1);
  return seen.heads.front();
}

std::string with_fields(std::string_view fields) {
  return "HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\n";
}

constexpr std::string_view kNext = "HTTP/1.1 201 Next\r\nContent-Length: 0\r\n\r\n";

}  // namespace

TEST_CASE("a response has its status, its reason and its fields") {
  const ResponseHead head =
      head_of("HTTP/1.1 404 Not \xc3\xbc here\r\nContent-Length: 0\r\nX-A: b\r\n\r\n");
  CHECK(head.status == 404);
  CHECK(head.reason == "Not \xc3\xbc here");
  CHECK(head.version == Version::kHttp11);
  CHECK(head.fields.all() == std::vector<Field>{{"Content-Length", "0"}, {"X-A", "b"}});
  CHECK(head.body == Body{Framing::kLength, 0});
  CHECK(head.is_persistent);
}

TEST_CASE("a reason may be empty, with its space or without") {
  CHECK(head_of("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n").reason.empty());
  CHECK(head_of("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n").reason.empty());
}

TEST_CASE("a broken status line is refused") {
  for (const char* line :
       {"", "ICY 200 OK", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 20", "HTTP/1.1 2000 OK",
        "HTTP/1.1 099 X", "HTTP/1.1 2x0 OK", "HTTP/1.1  200 OK", "HTTP/1.1 -20 OK",
        "HTTP/1.1 200\tOK", "<html>", "HTTP/1.1 200 a\x01", "GET / HTTP/1.1", "\x16\x03\x01"}) {
    CAPTURE(line);
    CHECK(error_of(std::string(line) + "\r\nContent-Length: 0\r\n\r\n") == "bad_status_line");
  }
  for (const char* version : {"HTTP/2", "HTTP/2.0", "HTTP/1.2", "HTTP/1.10", "HTTP/0.9", "HTTP/"}) {
    CAPTURE(version);
    CHECK(error_of(std::string(version) + " 200 OK\r\n\r\n") == "bad_version");
  }
}

TEST_CASE("an origin's lines end in CR LF too") {
  CHECK(error_of("HTTP/1.1 200 OK\n\n") == "bad_line_end");
  CHECK(error_of("HTTP/1.1 200 O\rK\r\n\r\n") == "bad_line_end");
  CHECK(error_of(with_fields("X: a\rSet-Cookie: b\r\n")) == "bad_line_end");
  CHECK(error_of(with_fields("X: a\r\n b\r\n")) == "obs_fold");
  CHECK(error_of(with_fields("X : a\r\n")) == "bad_field_name");
  CHECK(error_of(with_fields("X: \x01\r\n")) == "bad_field_value");
}

TEST_CASE("a body is framed by length, by chunks or by the end of the connection") {
  auto seen =
      parse(with_fields("Content-Length: 5\r\n") + "hello" + std::string(kNext), {"GET", "GET"});
  CHECK(seen.error_word() == "none");
  CHECK(seen.bodies == std::vector<std::string>{"hello", ""});
  seen = parse(with_fields("Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n0\r\nA: b\r\n\r\n" +
                   std::string(kNext),
               {"GET", "GET"});
  CHECK(seen.error_word() == "none");
  CHECK(seen.bodies == std::vector<std::string>{"hello", ""});
  CHECK(seen.trailers.at(0).all() == std::vector<Field>{{"A", "b"}});
  seen = parse(with_fields("") + "hello" + std::string(kNext));
  CHECK(seen.error_word() == "none");
  CHECK(seen.bodies == std::vector<std::string>{"hello" + std::string(kNext)});
  CHECK(seen.heads.at(0).body.framing == Framing::kUntilClose);
  CHECK_FALSE(seen.heads.at(0).is_persistent);
  CHECK(seen.trailers.size() == 1);
}

TEST_CASE("HEAD, 204 and 304 have no body, whatever their fields say") {
  for (const char* fields : {"", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"}) {
    CAPTURE(fields);
    auto seen = parse(with_fields(fields) + std::string(kNext), {"HEAD", "GET"});
    CHECK(seen.error_word() == "none");
    CHECK(seen.heads.at(0).body == Body{});
    CHECK(seen.heads.at(0).is_persistent);
    CHECK(seen.heads.size() == 2);
    seen =
        parse("HTTP/1.1 304 Not Modified\r\n" + std::string(fields) + "\r\n" + std::string(kNext),
              {"GET", "GET"});
    CHECK(seen.error_word() == "none");
    CHECK(seen.heads.at(0).body == Body{});
    CHECK(seen.heads.size() == 2);
  }
  const auto seen = parse("HTTP/1.1 204 No Content\r\n\r\n" + std::string(kNext), {"GET", "GET"});
  CHECK(seen.heads.size() == 2);
}

TEST_CASE("a 1xx or 204 that announces a body is an error") {
  CHECK(error_of("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n") == "bad_content_length");
  CHECK(error_of("HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n") == "bad_content_length");
  CHECK(error_of("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n") ==
        "bad_transfer_encoding");
  CHECK(error_of("HTTP/1.1 101 X\r\nTransfer-Encoding: chunked\r\n\r\n") ==
        "bad_transfer_encoding");
  CHECK(error_of("HTTP/1.1 204 No Content\r\nContent-Length: x\r\n\r\n") == "bad_content_length");
  CHECK(error_of("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n") == "none");
}

TEST_CASE("a response's framing is stated once") {
  CHECK(error_of(with_fields("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")) ==
        "length_and_encoding");
  CHECK(error_of(with_fields("Content-Length: 5\r\nContent-Length: 5\r\n")) ==
        "duplicate_content_length");
  CHECK(error_of(with_fields("Content-Length: 5, 5\r\n")) == "duplicate_content_length");
  CHECK(error_of(with_fields("Content-Length: -1\r\n")) == "bad_content_length");
  CHECK(error_of(with_fields("Transfer-Encoding: gzip, chunked\r\n")) == "bad_transfer_encoding");
  CHECK(error_of(with_fields("Transfer-Encoding: identity\r\n")) == "bad_transfer_encoding");
  CHECK(error_of(with_fields("Content-Length: 5\r\nContent-Length: 5\r\n"), {"HEAD"}) ==
        "duplicate_content_length");
  CHECK(error_of("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") ==
        "bad_transfer_encoding");
}

TEST_CASE("interim responses come before the final one and end nothing") {
  const auto seen =
      parse("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" +
            std::string(kNext));
  CHECK(seen.error_word() == "none");
  REQUIRE(seen.heads.size() == 3);
  CHECK(seen.heads[0].is_interim());
  CHECK(seen.heads[2].status == 201);
  CHECK(seen.trailers.size() == 1);
}

TEST_CASE("a 101 is a head and an end, and what follows stays with the caller") {
  ResponseParser parser({});
  parser.expect("GET");
  std::string_view in = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x01x";
  CHECK(std::get<ResponseHead>(**parser.next(in)).status == 101);
  CHECK(std::holds_alternative<MessageEnd>(**parser.next(in)));
  CHECK(in == "\x81\x01x");
}

TEST_CASE("a 2xx to CONNECT has no body, a refusal has one") {
  ResponseParser parser({});
  parser.expect("CONNECT");
  std::string_view in = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ntunnel";
  CHECK(std::get<ResponseHead>(**parser.next(in)).body == Body{});
  CHECK(std::holds_alternative<MessageEnd>(**parser.next(in)));
  CHECK(in == "tunnel");
  CHECK(parse("HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\nhello", {"CONNECT"}).bodies.at(0) ==
        "hello");
}

TEST_CASE("bytes that answer nothing are an error") {
  CHECK(error_of(kNext, {}) == "excess_bytes");
  CHECK(error_of(std::string(kNext) + std::string(kNext)) == "excess_bytes");
  CHECK(error_of(std::string(kNext) + "\r\n") == "excess_bytes");
  CHECK(error_of("HTTP/1.1 204 No Content\r\n\r\nbody") == "excess_bytes");
  CHECK(error_of(with_fields("Content-Length: 3\r\n") + "body") == "excess_bytes");
  CHECK(error_of("\r\n" + std::string(kNext)) == "bad_status_line");
}

TEST_CASE("two pipelined answers reach the two requests that were announced") {
  const auto seen =
      parse(std::string(kNext) + with_fields("Content-Length: 2\r\n") + "hi", {"GET", "POST"});
  CHECK(seen.error_word() == "none");
  CHECK(seen.heads.size() == 2);
  CHECK(seen.bodies.at(1) == "hi");
}

TEST_CASE("a connection that ends early says where it was") {
  CHECK(error_of("") == "closed_early");
  CHECK(error_of("HTTP/1.1 20") == "closed_early");
  CHECK(error_of("HTTP/1.1 100 Continue\r\n\r\n") == "closed_early");
  CHECK(error_of(with_fields("Content-Length: 5\r\n") + "hell") == "body_incomplete");
  CHECK(error_of(with_fields("Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n") ==
        "body_incomplete");
  CHECK(error_of(with_fields("Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n0\r\n") ==
        "body_incomplete");
  CHECK(error_of("", {}) == "none");
  CHECK(error_of(kNext, {"GET", "GET"}) == "closed_early");
}

TEST_CASE("a body until close ends once") {
  ResponseParser parser({});
  parser.expect("GET");
  std::string_view in = "HTTP/1.0 200 OK\r\n\r\nx";
  CHECK(std::holds_alternative<ResponseHead>(**parser.next(in)));
  CHECK(std::get<BodyBytes>(**parser.next(in)).bytes == "x");
  CHECK_FALSE(*parser.next(in));
  CHECK_FALSE(parser.is_between_messages());
  CHECK(std::holds_alternative<MessageEnd>(**parser.finish()));
  CHECK(parser.is_between_messages());
  CHECK_FALSE(*parser.finish());
}

TEST_CASE("the end of an empty body is not lost with the connection") {
  ResponseParser parser({});
  parser.expect("HEAD");
  std::string_view in = "HTTP/1.1 200 OK\r\n\r\n";
  CHECK(*parser.next(in));
  CHECK(std::holds_alternative<MessageEnd>(**parser.finish()));
}

TEST_CASE("a response's connection persists by RFC 9112 s. 9.3") {
  const std::string empty = "Content-Length: 0\r\n";
  CHECK(head_of(with_fields(empty)).is_persistent);
  CHECK_FALSE(head_of(with_fields(empty + "Connection: close\r\n")).is_persistent);
  CHECK_FALSE(head_of("HTTP/1.0 200 OK\r\n" + empty + "\r\n").is_persistent);
  CHECK(head_of("HTTP/1.0 200 OK\r\n" + empty + "Connection: Keep-Alive\r\n\r\n").is_persistent);
  CHECK_FALSE(head_of("HTTP/1.0 200 OK\r\n" + empty + "Connection: Keep-Alive, close\r\n\r\n")
                  .is_persistent);
}

TEST_CASE("an origin's head is bounded as well") {
  CHECK(
      parse("HTTP/1.1 200 OK\r\nX: " + std::string(300, 'x') + "\r\n\r\n", {"GET"}, Limits{200, 10})
          .error_word() == "head_too_large");
  std::string fields;
  for (int i = 0; i < 11; ++i) fields += "a:\r\n";
  CHECK(parse(with_fields(fields), {"GET"}, Limits{2000, 10}).error_word() == "too_many_fields");
}

TEST_CASE("errors are the origin's fault and stay") {
  ResponseParser parser({});
  std::string_view in = "x";
  const auto first = parser.next(in);
  REQUIRE_FALSE(first);
  CHECK(first.error().fault == base::Fault::kOrigin);
  parser.expect("GET");
  in = kNext;
  CHECK_FALSE(parser.next(in));
  CHECK_FALSE(parser.finish());
}

}  // namespace leash::http
