#include "http/h1_writer.h"

#include <doctest/doctest.h>

#include <string>

#include "http/forwarding.h"
#include "unit/http/h1_feed.h"

using namespace std::string_literals;

namespace leash::http {
namespace {

RequestHead request(std::string_view bytes) {
  auto seen = feed_requests(bytes, bytes.size());
  REQUIRE(seen.error_word() == "none");
  return seen.heads.at(0);
}

std::string written(const RequestHead& head, std::string_view upgrade = {}) {
  std::string out;
  append_request(out, head, upgrade);
  return out;
}

std::string written(const ResponseHead& head, std::string_view upgrade = {}) {
  std::string out;
  append_response(out, head, upgrade);
  return out;
}

ResponseHead response(int status, Body body = {}) {
  ResponseHead head;
  head.status = status;
  head.body = body;
  return head;
}

}  // namespace

TEST_CASE("a request is written in origin-form with Host first, spelling and order kept") {
  CHECK(written(request(
            "GET http://a.test/x?y HTTP/1.1\r\nX-One: 1\r\nHost: a.test\r\nx-TWO: 2\r\n\r\n")) ==
        "GET /x?y HTTP/1.1\r\nHost: a.test\r\nX-One: 1\r\nx-TWO: 2\r\n\r\n");
  CHECK(written(request("OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n")) ==
        "OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n");
  CHECK(written(request("CONNECT a.test:443 HTTP/1.1\r\n\r\n")) ==
        "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n");
}

TEST_CASE("an HTTP/1.0 request goes out as HTTP/1.1 on a connection that closes") {
  CHECK(written(request("GET / HTTP/1.0\r\nHost: a.test\r\n\r\n")) ==
        "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
}

TEST_CASE("framing is written from the head and not from its fields") {
  RequestHead head =
      request("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nConnection: x\r\n\r\n");
  CHECK(written(head) == "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\n");
  head.body = {Framing::kChunked, 0};
  CHECK(written(head) == "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n");
  head.body = {};
  head.method = "GET";
  CHECK(written(head) == "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
  head.body = {Framing::kLength, 18446744073709551615U};
  CHECK(written(head) ==
        "GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 18446744073709551615\r\n\r\n");
}

TEST_CASE("POST without a body says so") {
  CHECK(written(request("POST / HTTP/1.1\r\nHost: a.test\r\n\r\n")) ==
        "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("an upgrade is written as asked, whatever the fields say") {
  RequestHead head =
      request("GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n");
  CHECK(written(head) == "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
  CHECK(written(head, "websocket") ==
        "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  CHECK(written(response(101), "websocket") ==
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
}

TEST_CASE("TE is a matter of the connection and named there") {
  RequestHead head = request("GET / HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\n\r\n");
  CHECK(written(head) ==
        "GET / HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\nConnection: TE\r\n\r\n");
  head.is_persistent = false;
  CHECK(written(head) ==
        "GET / HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\nConnection: TE, close\r\n\r\n");
}

TEST_CASE("no text from elsewhere ends the line it is in") {
  RequestHead head = request("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
  head.path = "/x HTTP/1.1\r\nHost: d.test\r\n\r\nGET /y";
  head.fields.add("X\r\nY", "a\r\n\r\nGET / HTTP/1.1\r\n\0b"s);
  const std::string out = written(head);
  CHECK(
      out ==
      "GET /x HTTP/1.1Host: d.testGET /y HTTP/1.1\r\nHost: a.test\r\nXY: aGET / HTTP/1.1b\r\n\r\n");
}

TEST_CASE("a response is written with its reason or the usual one") {
  ResponseHead head = response(200, {Framing::kLength, 3});
  CHECK(written(head) == "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n");
  head.reason = "Fine";
  head.fields.add("X-a", "b");
  head.is_persistent = false;
  CHECK(written(head) ==
        "HTTP/1.1 200 Fine\r\nX-a: b\r\nContent-Length: 3\r\nConnection: close\r\n\r\n");
  CHECK(written(response(999, {Framing::kLength, 0})) ==
        "HTTP/1.1 999 \r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("a body until close says that the connection closes") {
  CHECK(written(response(200, {Framing::kUntilClose, 0})) ==
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
}

TEST_CASE("the answer to HEAD keeps the length it tells, a 204 has none") {
  ResponseHead head = response(200);
  head.fields.add("content-length", "123");
  head.fields.add("Transfer-Encoding", "chunked");
  CHECK(written(head) == "HTTP/1.1 200 OK\r\nContent-Length: 123\r\n\r\n");
  head.status = 304;
  CHECK(written(head) == "HTTP/1.1 304 Not Modified\r\nContent-Length: 123\r\n\r\n");
  head.status = 204;
  CHECK(written(head) == "HTTP/1.1 204 No Content\r\n\r\n");
  head.status = 200;
  head.fields.set("content-length", "12x");
  CHECK(written(head) == "HTTP/1.1 200 OK\r\n\r\n");
}

TEST_CASE("an interim response has no framing and no Connection") {
  ResponseHead head = response(103);
  head.fields.add("Link", "</a>");
  head.is_persistent = false;
  CHECK(written(head) == "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
}

TEST_CASE("chunks are written with their size, empty ones not at all") {
  std::string out;
  append_chunk(out, std::string(26, 'x'));
  CHECK(out == "1a\r\n" + std::string(26, 'x') + "\r\n");
  out.clear();
  append_chunk(out, "");
  CHECK(out.empty());
  Fields trailers;
  trailers.add("X-Sum", "1");
  trailers.add("Content-Length", "5");
  append_last_chunk(out, trailers);
  CHECK(out == "0\r\nX-Sum: 1\r\n\r\n");
}

TEST_CASE("what is written reads back the same") {
  const std::string bytes =
      "PUT /a HTTP/1.1\r\nHost: a.test\r\nX: 1\r\nTransfer-Encoding: chunked\r\nConnection: "
      "close\r\n\r\n";
  const RequestHead head = request(bytes);
  std::string out = written(head);
  append_chunk(out, "hello");
  append_last_chunk(out, {});
  const auto seen = feed_requests(out, out.size());
  REQUIRE(seen.heads.size() == 1);
  CHECK(seen.heads[0] == head);
  CHECK(seen.bodies[0] == "hello");
}

}  // namespace leash::http
