#include "http/forwarding.h"

#include <doctest/doctest.h>

#include <string>

#include "unit/http/h1_feed.h"

namespace leash::http {
namespace {

RequestHead request(std::string_view fields, std::string_view line = "GET / HTTP/1.1") {
  const std::string bytes =
      std::string(line) + "\r\nHost: a.test\r\n" + std::string(fields) + "\r\n";
  auto seen = feed_requests(bytes, bytes.size());
  REQUIRE(seen.error_word() == "none");
  return seen.heads.at(0);
}

// The fields that go to the origin, Host left out, as "name: value" lines.
std::string to_origin(std::string_view fields) {
  RequestHead head = request(fields);
  prepare_for_origin(head, *base::parse_authority("a.test", 443), "https");
  std::string out;
  for (const Field& field : head.fields.all()) {
    if (field.name != "Host") out += field.name + ": " + field.value + "\n";
  }
  return out;
}

std::string to_client(std::initializer_list<Field> fields) {
  ResponseHead head;
  head.status = 200;
  for (const Field& field : fields) head.fields.add(field.name, field.value);
  prepare_for_client(head);
  std::string out;
  for (const Field& field : head.fields.all()) out += field.name + ": " + field.value + "\n";
  return out;
}

constexpr std::string_view kHandshake =
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

}  // namespace

TEST_CASE("fields of the connection do not go on") {
  CHECK(to_origin(
            "Connection: keep-alive\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n"
            "Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic x\r\nproxy-x: y\r\n"
            "TE: gzip\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\nAccept: */*\r\n") ==
        "Accept: */*\n");
}

TEST_CASE("fields that Connection names do not go on") {
  CHECK(
      to_origin(
          "Connection: X-One, close\r\nconnection: x-TWO\r\nX-One: 1\r\nX-Two: 2\r\nX-Three: 3\r\n"
          "x-one: 4\r\nClose: 5\r\n") == "X-Three: 3\nClose: 5\n");
}

TEST_CASE("Connection cannot take away what the origin decides on") {
  CHECK(
      to_origin(
          "Connection: Host, Authorization, Cookie, Content-Type, content-length, X\r\n"
          "Authorization: a\r\nCookie: b\r\nContent-Type: c/d\r\nContent-Length: 0\r\nX: y\r\n") ==
      "Authorization: a\nCookie: b\nContent-Type: c/d\nContent-Length: 0\n");
  RequestHead head = request("Connection: Host\r\n");
  prepare_for_origin(head, *base::parse_authority("a.test", 443), "https");
  CHECK(*head.fields.find("host") == "a.test");
}

TEST_CASE("TE goes on as trailers or not at all") {
  CHECK(to_origin("TE: trailers, gzip;q=1\r\nConnection: TE\r\n") == "TE: trailers\n");
  CHECK(to_origin("TE: gzip\r\n").empty());
}

TEST_CASE("Host becomes the authority, without the scheme's own port") {
  const auto host_for = [](std::string_view authority, std::string_view scheme) {
    RequestHead head = request("");
    head.fields.set("Host", "d.test");
    prepare_for_origin(head, *base::parse_authority(authority, 1), scheme);
    CHECK(head.fields.count("host") == 1);
    return *head.fields.find("host");
  };
  CHECK(host_for("a.test:443", "https") == "a.test");
  CHECK(host_for("a.test:80", "https") == "a.test:80");
  CHECK(host_for("a.test:80", "http") == "a.test");
  CHECK(host_for("[::1]:8080", "http") == "[::1]:8080");
}

TEST_CASE("absolute-form becomes origin-form, or the asterisk") {
  RequestHead head = request("", "GET http://a.test/x HTTP/1.1");
  prepare_for_origin(head, *head.target, "http");
  CHECK(head.form == TargetForm::kOrigin);
  CHECK(head.path == "/x");
  head = request("", "OPTIONS http://a.test HTTP/1.1");
  prepare_for_origin(head, *head.target, "http");
  CHECK(head.form == TargetForm::kAsterisk);
}

TEST_CASE("cookies that HTTP/2 has cut are joined") {
  CHECK(to_origin("Cookie: a=1\r\nX: y\r\ncookie: b=2\r\n") == "Cookie: a=1; b=2\nX: y\n");
}

TEST_CASE("a response loses its connection's fields and its hints to go round us") {
  CHECK(to_client({{"Connection", "X-One"},
                   {"X-One", "1"},
                   {"Keep-Alive", "x"},
                   {"Alt-Svc", "h3=\":443\""},
                   {"Proxy-Authenticate", "Basic"},
                   {"Upgrade", "h2c"},
                   {"Transfer-Encoding", "chunked"},
                   {"Set-Cookie", "a"},
                   {"Set-Cookie", "b"},
                   {"Content-Length", "3"}}) ==
        "Set-Cookie: a\nSet-Cookie: b\nContent-Length: 3\n");
}

TEST_CASE("a WebSocket handshake is known by all its parts") {
  CHECK(websocket_key(request(kHandshake)) == "dGhlIHNhbXBsZSBub25jZQ==");
  CHECK(websocket_key(
      request("upgrade: foo, WebSocket\r\nconnection: keep-alive, upgrade\r\n"
              "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n")));
}

TEST_CASE("a malformed WebSocket handshake is an ordinary request") {
  const auto without = [](std::string_view part, std::string_view instead) {
    std::string fields(kHandshake);
    fields.replace(fields.find(part), part.size(), instead);
    return websocket_key(request(fields));
  };
  CHECK_FALSE(without("Upgrade: websocket\r\n", ""));
  CHECK_FALSE(without("Upgrade: websocket", "Upgrade: h2c"));
  CHECK_FALSE(without("Connection: Upgrade\r\n", ""));
  CHECK_FALSE(without("Version: 13", "Version: 999"));
  CHECK_FALSE(without("Version: 13", "Version: 8\r\nSec-WebSocket-Version: 13"));
  CHECK_FALSE(without("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""));
  CHECK_FALSE(without("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZR=="));
  CHECK_FALSE(without("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j"));
  CHECK_FALSE(without("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZ*Bub25jZQ=="));
  CHECK_FALSE(websocket_key(request(kHandshake, "POST / HTTP/1.1")));
  CHECK_FALSE(websocket_key(request(kHandshake, "GET / HTTP/1.0")));
  CHECK_FALSE(websocket_key(request(std::string(kHandshake) + "Content-Length: 5\r\n")));
  CHECK_FALSE(websocket_key(request(std::string(kHandshake) + "Transfer-Encoding: chunked\r\n")));
}

TEST_CASE("a WebSocket handshake keeps its own fields and loses Upgrade") {
  CHECK(to_origin(kHandshake) ==
        "Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n");
}

TEST_CASE("idempotent methods are known by their exact names") {
  CHECK(is_idempotent("GET"));
  CHECK(is_idempotent("DELETE"));
  CHECK_FALSE(is_idempotent("POST"));
  CHECK_FALSE(is_idempotent("PATCH"));
  CHECK_FALSE(is_idempotent("get"));
  CHECK_FALSE(is_idempotent("CONNECT"));
}

TEST_CASE("a status has its usual text") {
  CHECK(status_text(421) == "Misdirected Request");
  CHECK(status_text(299).empty());
}

}  // namespace leash::http
