#include <doctest/doctest.h>

#include <string>

#include "http/h1_parser.h"
#include "unit/http/h1_feed.h"

using namespace std::string_view_literals;

namespace leash::http {
namespace {

Seen<RequestHead> parse(std::string_view bytes, const Limits& limits = {}) {
  auto whole = feed_requests(bytes, bytes.size(), limits);
  for (const std::size_t piece : {1, 2, 7}) {
    CAPTURE(piece);
    CHECK(feed_requests(bytes, piece, limits) == whole);
  }
  return whole;
}

std::string error_of(std::string_view bytes, const Limits& limits = {}) {
  return parse(bytes, limits).error_word();
}

RequestHead head_of(std::string_view bytes) {
  auto seen = parse(bytes);
  CHECK(seen.error_word() == "none");
  REQUIRE(seen.heads.size() == 1);
  return seen.heads.front();
}

// A request for "/" with these field lines behind Host.
std::string with_fields(std::string_view fields) {
  return "POST / HTTP/1.1\r\nHost: a.test\r\n" + std::string(fields) + "\r\n";
}

std::string with_line(std::string_view line) {
  return std::string(line) + "\r\nHost: a.test\r\n\r\n";
}

std::string chunked(std::string_view body) {
  return with_fields("Transfer-Encoding: chunked\r\n") + std::string(body);
}

constexpr std::string_view kNext = "GET /next HTTP/1.1\r\nHost: a.test\r\n\r\n";

}  // namespace

TEST_CASE("a simple request has its line, its fields and no body") {
  const auto seen =
      parse("GET /a?b=c HTTP/1.1\r\nHost: a.test:8080\r\nX-One:  1 \t\r\nx-two:\r\n\r\n");
  REQUIRE(seen.heads.size() == 1);
  const RequestHead& head = seen.heads[0];
  CHECK(head.method == "GET");
  CHECK(head.form == TargetForm::kOrigin);
  CHECK(head.path == "/a?b=c");
  CHECK(head.version == Version::kHttp11);
  REQUIRE(head.host);
  CHECK(head.host->text() == "a.test:8080");
  CHECK_FALSE(head.target);
  CHECK(head.fields.all() ==
        std::vector<Field>{{"Host", "a.test:8080"}, {"X-One", "1"}, {"x-two", ""}});
  CHECK(head.body == Body{});
  CHECK(head.is_persistent);
  CHECK(seen.trailers.size() == 1);
}

TEST_CASE("a host without port has port 0") { CHECK(head_of(kNext).host->port == 0); }

TEST_CASE("a body with a length ends after it and the next request begins there") {
  const auto seen = parse(with_fields("Content-Length: 5\r\n") + "hello" + std::string(kNext));
  CHECK(seen.error_word() == "none");
  REQUIRE(seen.heads.size() == 2);
  CHECK(seen.heads[0].body == Body{Framing::kLength, 5});
  CHECK(seen.bodies[0] == "hello");
  CHECK(seen.heads[1].path == "/next");
  CHECK(seen.trailers.size() == 2);
}

TEST_CASE("GET with a body and POST without one are framed by their fields alone") {
  const auto seen = parse(
      "GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi"
      "POST / HTTP/1.1\r\nHost: a.test\r\n\r\n"
      "HEAD / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n" +
      std::string(kNext));
  REQUIRE(seen.heads.size() == 4);
  CHECK(seen.bodies[0] == "hi");
  CHECK(seen.heads[1].body == Body{});
  CHECK(seen.heads[2].body == Body{Framing::kLength, 0});
  CHECK(seen.heads[3].path == "/next");
}

TEST_CASE("a chunked body is put together and its trailers come with the end") {
  const auto seen =
      parse(chunked("5\r\nhello\r\n0006\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n") + std::string(kNext));
  CHECK(seen.error_word() == "none");
  REQUIRE(seen.heads.size() == 2);
  CHECK(seen.heads[0].body.framing == Framing::kChunked);
  CHECK(seen.bodies[0] == "hello world");
  REQUIRE(seen.trailers.size() == 2);
  CHECK(seen.trailers[0].all() == std::vector<Field>{{"X-Sum", "1"}});
}

TEST_CASE("trailers lose what frames, routes or authenticates") {
  const auto seen = parse(chunked(
      "0\r\nContent-Length: 5\r\nHost: d.test\r\nAuthorization: x\r\nProxy-Authorization: "
      "y\r\nTransfer-Encoding: chunked\r\nX-Ok: 1\r\nContent-Type: a/b\r\nSet-Cookie: c\r\n\r\n"));
  REQUIRE(seen.trailers.size() == 1);
  CHECK(seen.trailers[0].all() == std::vector<Field>{{"X-Ok", "1"}});
  CHECK_FALSE(seen.heads[0].fields.has("Authorization"));
}

TEST_CASE("a malformed trailer section is refused") {
  CHECK(error_of(chunked("0\r\nX Y: 1\r\n\r\n")) == "bad_trailer");
  CHECK(error_of(chunked("0\r\nX: 1\n\r\n")) == "bad_trailer");
  CHECK(error_of(chunked("0\r\nX: 1\r\n folded\r\n\r\n")) == "bad_trailer");
  CHECK(error_of(chunked("0\r\nGET / HTTP/1.1\r\n\r\n")) == "bad_trailer");
  CHECK(error_of(chunked("0\r\n\n")) == "bad_trailer");
}

TEST_CASE("a trailer section is bounded like a head") {
  const Limits limits{200, 4};
  CHECK(error_of(chunked("0\r\nX: " + std::string(200, 'x') + "\r\n\r\n"), limits) ==
        "head_too_large");
  CHECK(error_of(chunked("0\r\na:\r\nb:\r\nc:\r\nd:\r\ne:\r\n\r\n"), limits) == "too_many_fields");
}

TEST_CASE("absolute-form gives scheme, authority and path") {
  RequestHead head = head_of("GET HTTP://A.Test:8080/x?y HTTP/1.1\r\nHost: a.test:8080\r\n\r\n");
  CHECK(head.form == TargetForm::kAbsolute);
  CHECK(head.scheme == "http");
  CHECK(head.target->text() == "a.test:8080");
  CHECK(head.path == "/x?y");
  head = head_of("GET https://a.test HTTP/1.1\r\nHost: a.test\r\n\r\n");
  CHECK(head.scheme == "https");
  CHECK(head.target->text() == "a.test:443");
  CHECK(head.path == "/");
  CHECK(head_of("GET http://a.test?q HTTP/1.1\r\nHost: a.test\r\n\r\n").path == "/?q");
  CHECK(head_of("GET http://[::1]:80/ HTTP/1.1\r\nHost: [::1]\r\n\r\n").target->text() ==
        "[::1]:80");
}

TEST_CASE("the asterisk is for OPTIONS, also where the path is missing in absolute-form") {
  CHECK(head_of("OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n").form == TargetForm::kAsterisk);
  CHECK(head_of("OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n").path == "*");
  CHECK(head_of("OPTIONS http://a.test HTTP/1.1\r\nHost: a.test\r\n\r\n").path == "*");
  CHECK(head_of("OPTIONS http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n").path == "/");
  CHECK(head_of("OPTIONS http://a.test?q HTTP/1.1\r\nHost: a.test\r\n\r\n").path == "/?q");
  CHECK(error_of(with_line("GET * HTTP/1.1")) == "bad_target");
  CHECK(error_of(with_line("OPTIONS ** HTTP/1.1")) == "bad_target");
}

TEST_CASE("CONNECT names a host and a port") {
  const RequestHead head = head_of("CONNECT A.Test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n");
  CHECK(head.form == TargetForm::kAuthority);
  CHECK(head.target->text() == "a.test:443");
  CHECK(head.path.empty());
  CHECK(head.body == Body{});
  CHECK(head_of("CONNECT a.test:443 HTTP/1.1\r\n\r\n").host == std::nullopt);
  CHECK(head_of("CONNECT a.test:443 HTTP/1.0\r\n\r\n").version == Version::kHttp10);
  CHECK(head_of("CONNECT a.test:8443 HTTP/1.1\r\nHost: a.test\r\n\r\n").host->port == 0);
  CHECK(error_of("CONNECT a.test HTTP/1.1\r\n\r\n") == "bad_syntax");
  CHECK(error_of("CONNECT a.test:0443 HTTP/1.1\r\n\r\n") == "bad_port");
  CHECK(error_of("CONNECT http://a.test:443/ HTTP/1.1\r\n\r\n") == "bad_host");
  CHECK(error_of("CONNECT / HTTP/1.1\r\n\r\n") == "bad_syntax");
  CHECK(error_of("CONNECT a@d.test:443 HTTP/1.1\r\n\r\n") == "userinfo");
  CHECK(error_of("CONNECT [deny.test]:443 HTTP/1.1\r\n\r\n") == "bad_host");
  CHECK(error_of("CONNECT <script>:443 HTTP/1.1\r\n\r\n") == "bad_host");
  CHECK(error_of("CONNECT a\0.test:443 HTTP/1.1\r\n\r\n"sv) == "bad_host");
}

TEST_CASE("CONNECT has no body") {
  CHECK(error_of("CONNECT a.test:443 HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello") ==
        "bad_content_length");
  CHECK(error_of("CONNECT a.test:443 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") ==
        "bad_transfer_encoding");
  CHECK(head_of("CONNECT a.test:443 HTTP/1.1\r\nContent-Length: 0\r\n\r\n").body == Body{});
}

TEST_CASE("what follows a CONNECT stays with the caller") {
  RequestParser parser({});
  std::string_view in = "CONNECT a.test:443 HTTP/1.1\r\n\r\n\x16\x03\x01 and so on";
  CHECK(std::holds_alternative<RequestHead>(**parser.next(in)));
  CHECK(std::holds_alternative<MessageEnd>(**parser.next(in)));
  CHECK(in == "\x16\x03\x01 and so on");
}

TEST_CASE("the authority form is for CONNECT alone") {
  CHECK(error_of(with_line("GET a.test:443 HTTP/1.1")) == "bad_target");
  CHECK(error_of(with_line("connect a.test:443 HTTP/1.1")) == "bad_target");
}

TEST_CASE("other schemes and broken URLs are refused") {
  for (const char* target : {"ftp://a.test/", "ws://a.test/", "http:/a.test", "http:a.test",
                             "httpss://a.test/", "://a.test/", "a.test/", "?q", "\\\\a.test\\"}) {
    CAPTURE(target);
    CHECK(error_of(with_line("GET " + std::string(target) + " HTTP/1.1")) == "bad_target");
  }
  CHECK(error_of(with_line("GET http:/// HTTP/1.1")) == "bad_host");
  CHECK(error_of(with_line("GET http://a.test\\@d.test/ HTTP/1.1")) == "userinfo");
  CHECK(error_of(with_line("GET http://a.test\\.d.test/ HTTP/1.1")) == "bad_host");
  CHECK(error_of(with_line("GET http://a.test@d.test/ HTTP/1.1")) == "userinfo");
  CHECK(error_of(with_line("GET http://a.test:/ HTTP/1.1")) == "bad_port");
  CHECK(error_of(with_line("GET http://2130706433/ HTTP/1.1")) == "bad_host");
  CHECK(head_of("GET http://a.test/@x:y HTTP/1.1\r\nHost: a.test\r\n\r\n").path == "/@x:y");
}

TEST_CASE("exactly one valid Host is required in HTTP/1.1") {
  CHECK(error_of("GET / HTTP/1.1\r\n\r\n") == "host_missing");
  CHECK(error_of("GET http://a.test/ HTTP/1.1\r\n\r\n") == "host_missing");
  CHECK(error_of("GET / HTTP/1.1\r\nHost: a.test\r\nHost: a.test\r\n\r\n") == "host_duplicate");
  CHECK(error_of("GET / HTTP/1.1\r\nHost: a.test\r\nhOsT: d.test\r\n\r\n") == "host_duplicate");
  CHECK(error_of("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\nHost: a.test\r\n\r\n") ==
        "host_duplicate");
  CHECK(error_of("GET / HTTP/1.1\r\nHost: a.test, d.test\r\n\r\n") == "bad_host");
  CHECK(error_of("GET / HTTP/1.1\r\nHost:\r\n\r\n") == "bad_host");
  CHECK(error_of("GET / HTTP/1.1\r\nHost: a.test d.test\r\n\r\n") == "bad_host");
  CHECK(error_of("GET / HTTP/1.1\r\nHost: a.test\td.test\r\n\r\n") == "bad_host");
  CHECK(error_of("GET / HTTP/1.1\r\nHost: a.test:80@d.test\r\n\r\n") == "userinfo");
  CHECK(error_of("GET / HTTP/1.1\r\nHost: \xc3\xbc.test\r\n\r\n") == "not_ascii");
  CHECK(error_of("GET / HTTP/1.1\r\nHost: http://a.test\r\n\r\n") == "bad_port");
  CHECK(error_of("GET / HTTP/1.1\r\nHost: a.test/x\r\n\r\n") == "bad_host");
}

TEST_CASE("HTTP/1.0 may come without Host, but not with two") {
  CHECK_FALSE(head_of("GET / HTTP/1.0\r\n\r\n").host);
  CHECK(error_of("GET / HTTP/1.0\r\nHost: a.test\r\nHost: a.test\r\n\r\n") == "host_duplicate");
  CHECK(error_of("GET / HTTP/1.0\r\nHost:\r\n\r\n") == "bad_host");
}

TEST_CASE("a Host that names someone else than the target is a lie") {
  CHECK(error_of("GET http://a.test/ HTTP/1.1\r\nHost: d.test\r\n\r\n") == "host_mismatch");
  CHECK(error_of("GET https://a.test/ HTTP/1.1\r\nHost: d.test\r\n\r\n") == "host_mismatch");
  CHECK(error_of("GET http://a.test/ HTTP/1.1\r\nHost: a.test:8080\r\n\r\n") == "host_mismatch");
  CHECK(error_of("GET http://a.test:8080/ HTTP/1.1\r\nHost: a.test\r\n\r\n") == "host_mismatch");
  CHECK(error_of("GET https://a.test/ HTTP/1.1\r\nHost: a.test:80\r\n\r\n") == "host_mismatch");
  CHECK(error_of("GET http://a.test/ HTTP/1.0\r\nHost: d.test\r\n\r\n") == "host_mismatch");
  CHECK(error_of("GET http://A.test./ HTTP/1.1\r\nHost: a.TEST:80\r\n\r\n") == "none");
}

TEST_CASE("the Host of a CONNECT must be one, but need not be the target") {
  CHECK(
      head_of("CONNECT a.test:443 HTTP/1.1\r\nHost: proxy.test:8080\r\n\r\n").target->host.text() ==
      "a.test");
  CHECK(error_of("CONNECT a.test:443 HTTP/1.1\r\nHost: a@b\r\n\r\n") == "userinfo");
}

TEST_CASE("Content-Length with Transfer-Encoding is refused in either order") {
  CHECK(error_of(with_fields("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") +
                 "0\r\n\r\nGET http://d.test/ HTTP/1.1\r\n\r\n") == "length_and_encoding");
  CHECK(error_of(with_fields("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")) ==
        "length_and_encoding");
  CHECK(error_of(with_fields("Content-Length: 0\r\nTransfer-Encoding: identity\r\n")) ==
        "length_and_encoding");
}

TEST_CASE("two Content-Lengths are refused, equal or not") {
  CHECK(error_of(with_fields("Content-Length: 5\r\nContent-Length: 5\r\n")) ==
        "duplicate_content_length");
  CHECK(error_of(with_fields("Content-Length: 5\r\ncontent-length: 6\r\n")) ==
        "duplicate_content_length");
  CHECK(error_of(with_fields("Content-Length: 5,5\r\n")) == "duplicate_content_length");
  CHECK(error_of(with_fields("Content-Length: 5, 6\r\n")) == "duplicate_content_length");
}

TEST_CASE("a Content-Length is plain digits that fit") {
  for (const char* value :
       {"", "+5", "-5", "0x5", "5 5", "5;", "5.0", "five", "18446744073709551616",
        "9223372036854775808", "99999999999999999999999999"}) {
    CAPTURE(value);
    CHECK(error_of(with_fields("Content-Length: " + std::string(value) + "\r\n")) ==
          "bad_content_length");
  }
  CHECK(head_of(with_fields("Content-Length: 9223372036854775807\r\n")).body.length == INT64_MAX);
  CHECK(error_of(with_fields("Content-Length : 5\r\n")) == "bad_field_name");
}

TEST_CASE("Transfer-Encoding is one chunked or nothing") {
  for (const char* value :
       {"xchunked", "chunked, identity", "identity, chunked", "identity", "", "gzip, chunked",
        "chunked, chunked", "chunked;q=1", "\"chunked\"", ",chunked", "chunked,", "gzip", "cow"}) {
    CAPTURE(value);
    CHECK(error_of(with_fields("Transfer-Encoding: " + std::string(value) + "\r\n")) ==
          "bad_transfer_encoding");
  }
  CHECK(error_of(with_fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")) ==
        "bad_transfer_encoding");
  CHECK(error_of(with_fields("Transfer-Encoding: chunked\r\ntransfer-encoding: identity\r\n")) ==
        "bad_transfer_encoding");
  CHECK(error_of(with_fields("Transfer-Encoding : chunked\r\n")) == "bad_field_name");
  CHECK(error_of(with_fields("Transfer-Encoding: \x0b"
                             "chunked\r\n")) == "bad_field_value");
  CHECK(error_of(with_fields("Transfer-Encoding: chunked\x0c\r\n")) == "bad_field_value");
  CHECK(error_of(with_fields("Transfer-Encoding:\r\n chunked\r\n")) == "obs_fold");
  CHECK(error_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") ==
        "bad_transfer_encoding");
  CHECK(error_of(with_fields("Transfer-Encoding:\tCHUNKED\t\r\n") + "0\r\n\r\n") == "none");
}

TEST_CASE("lines end in CR LF and in nothing else") {
  CHECK(error_of("GET / HTTP/1.1\nHost: a.test\n\n") == "bad_line_end");
  CHECK(error_of("GET / HTTP/1.1\r\nHost: a.test\n\r\n") == "bad_line_end");
  CHECK(error_of("GET / HTTP/1.1\r\nHost: a.test\r\n\n") == "bad_line_end");
  CHECK(error_of("GET / HTTP/1.1\rHost: a.test\r\n\r\n") == "bad_line_end");
  CHECK(error_of("GET / HTTP/1.1\r\nHost: a.test\r\r\n\r\n") == "bad_line_end");
  CHECK(error_of(with_fields("X: a\rTransfer-Encoding: chunked\r\n")) == "bad_line_end");
  CHECK(error_of(with_fields("X: a\nTransfer-Encoding: chunked\r\n")) == "bad_line_end");
  CHECK(error_of("\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n") == "bad_line_end");
  CHECK(error_of("GET / HTTP/1.1\r\n\rHost: a.test\r\n\r\n") == "bad_field_name");
}

TEST_CASE("a folded line is refused, the first one too") {
  CHECK(error_of(with_fields("X: a\r\n b\r\n")) == "obs_fold");
  CHECK(error_of(with_fields("X: a\r\n\tb\r\n")) == "obs_fold");
  CHECK(error_of("GET / HTTP/1.1\r\n Host: a.test\r\n\r\n") == "obs_fold");
  CHECK(error_of(with_fields(" \r\n")) == "obs_fold");
}

TEST_CASE("a field name is a token: of 256 bytes, 77 may be in it") {
  int taken = 0;
  for (int c = 0; c < 256; ++c) {
    const auto seen = parse(with_fields(std::string("X") + static_cast<char>(c) + "Y: 1\r\n"));
    if (!seen.error) ++taken;
    CAPTURE(c);
    if (c == ':') CHECK(seen.heads.at(0).fields.all().back() == Field{"X", "Y: 1"});
  }
  CHECK(taken == 78);  // and the colon, which ends the name
  CHECK(error_of(with_fields(": 1\r\n")) == "bad_field_name");
  CHECK(error_of(with_fields("NoColon\r\n")) == "bad_field_name");
  CHECK(error_of(with_fields("X Y: 1\r\n")) == "bad_field_name");
}

TEST_CASE("underscore and hyphen make different names") {
  const RequestHead head = head_of(with_fields("X_Y: 1\r\nX-Y: 2\r\n"));
  CHECK(*head.fields.find("x_y") == "1");
  CHECK(*head.fields.find("x-y") == "2");
  CHECK(head_of(with_fields("Content_Length: 5\r\n")).body == Body{});
}

TEST_CASE("a field value may hold all but control bytes") {
  for (int c = 0; c < 256; ++c) {
    const std::string error =
        error_of(with_fields(std::string("X: a") + static_cast<char>(c) + "b\r\n"));
    CAPTURE(c);
    if (c == '\r' || c == '\n') {
      CHECK(error == "bad_line_end");
    } else {
      CHECK(error == (c == '\t' || (c >= 0x20 && c != 0x7f) ? "none" : "bad_field_value"));
    }
  }
}

TEST_CASE("the request line has exactly two single spaces") {
  CHECK(error_of(with_line("GET  / HTTP/1.1")) == "bad_request_line");
  CHECK(error_of(with_line("GET /  HTTP/1.1")) == "bad_request_line");
  CHECK(error_of(with_line("GET / HTTP/1.1 ")) == "bad_request_line");
  CHECK(error_of(with_line(" GET / HTTP/1.1")) == "bad_request_line");
  CHECK(error_of(with_line("GET /a b HTTP/1.1")) == "bad_request_line");
  CHECK(error_of(with_line("GET\t/\tHTTP/1.1")) == "bad_request_line");
  CHECK(error_of(with_line("GET /\tHTTP/1.1")) == "bad_request_line");
  CHECK(error_of(with_line("GET")) == "bad_request_line");
  CHECK(error_of(with_line("GET /")) == "bad_request_line");  // HTTP/0.9
  CHECK(error_of(with_line("GET / ")) == "bad_request_line");
  CHECK(error_of(with_line("G@T / HTTP/1.1")) == "bad_request_line");
  CHECK(error_of(with_line("\x16\x03\x01 / HTTP/1.1")) == "bad_request_line");
}

TEST_CASE("versions are HTTP/1.1 and HTTP/1.0") {
  for (const char* version :
       {"HTTP/1.10", "HTTP/1.2", "HTTP/01.1", "http/1.1", "HTTP/2.0", "HTTP/2", "HTTP/0.9",
        "HTTP/1.", "HTTP/1.1x", "HTTPS/1.1", "HTTP/1,1", "HTTP/1.1\t", "x"}) {
    CAPTURE(version);
    CHECK(error_of(with_line("GET / " + std::string(version))) == "bad_version");
  }
}

TEST_CASE("the HTTP/2 preface is a bad version here") {
  CHECK(error_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == "bad_version");
}

TEST_CASE("a method is a token of at most 32 bytes") {
  CHECK(head_of(with_line("M-SEARCH / HTTP/1.1")).method == "M-SEARCH");
  CHECK(head_of(with_line("get / HTTP/1.1")).method == "get");
  CHECK(head_of(with_line(std::string(32, 'M') + " / HTTP/1.1")).method.size() == 32);
  CHECK(error_of(with_line(std::string(33, 'M') + " / HTTP/1.1")) == "unsupported_method");
}

TEST_CASE("a target holds no control byte, no blank, no fragment and nothing above 0x7e") {
  CHECK(error_of(with_line("GET /a#b HTTP/1.1")) == "bad_target");
  CHECK(error_of(with_line("GET http://a.test/#b HTTP/1.1")) == "bad_target");
  CHECK(error_of(with_line("GET http://a.test#@d.test/ HTTP/1.1")) == "bad_target");
  CHECK(error_of(with_line("GET /\xc3\xbc HTTP/1.1")) == "bad_target");
  CHECK(error_of(with_line("GET /\x7f HTTP/1.1")) == "bad_target");
  CHECK(error_of(with_line("GET /\x01 HTTP/1.1")) == "bad_target");
  CHECK(error_of(with_line("GET /\0 HTTP/1.1"sv)) == "bad_target");
  CHECK(head_of(with_line("GET /a/../b;x?{|}\"%00%2e HTTP/1.1")).path == "/a/../b;x?{|}\"%00%2e");
  CHECK(head_of(with_line("GET //d.test/ HTTP/1.1")).path == "//d.test/");
}

TEST_CASE("a head is at most head_bytes long, found at the first byte too many") {
  const std::string head = with_fields("X: " + std::string(200, 'x') + "\r\n");
  CHECK(error_of(head, Limits{head.size(), 128}) == "none");
  CHECK(error_of(head, Limits{head.size() - 1, 128}) == "head_too_large");
  CHECK(error_of("GET /" + std::string(200000, 'a')) == "head_too_large");
  CHECK(error_of("GET / HTTP/1.1\r\nX: " + std::string(200000, 'a')) == "head_too_large");
  // The LF without CR lies behind the limit: never looked at.
  CHECK(error_of("GET /" + std::string(20, 'a') + "\n", Limits{16, 128}) == "head_too_large");
}

TEST_CASE("a head has at most the number of fields that is allowed") {
  std::string fields;
  for (int i = 0; i < 127; ++i) fields += "a:\r\n";
  CHECK(error_of(with_fields(fields)) == "none");
  CHECK(error_of(with_fields(fields + "a:\r\n")) == "too_many_fields");
}

TEST_CASE("two empty lines may come before a request, a third may not") {
  CHECK(error_of("\r\n" + std::string(kNext)) == "none");
  CHECK(error_of("\r\n\r\n" + std::string(kNext) + "\r\n\r\n" + std::string(kNext)) == "none");
  CHECK(error_of("\r\n\r\n\r\n" + std::string(kNext)) == "bad_request_line");
  CHECK(error_of("\r" + std::string(kNext)) == "bad_line_end");
}

TEST_CASE("a chunk size is one to sixteen hex digits and the line holds nothing else") {
  for (const char* size :
       {"", " 5", "5 ", "\t5", "+5", "-5", "0x5", "5;a=b", "5;", "5 ;a", "5\r", "g", "5g",
        "00000000000000005", "10000000000000005", "1ffffffffffffffff", "\"5\""}) {
    CAPTURE(size);
    CHECK(error_of(chunked(std::string(size) + "\r\nhello\r\n0\r\n\r\n")) == "bad_chunk");
  }
  CHECK(error_of(chunked("0000000000000005\r\nhello\r\n0\r\n\r\n")) == "none");
  CHECK(parse(chunked("A\r\n0123456789\r\na\r\n0123456789\r\n000\r\n\r\n")).bodies.at(0).size() ==
        20);
  CHECK(error_of(chunked("0;x\r\n\r\n")) == "bad_chunk");
  CHECK(error_of(chunked("5;" + std::string(100000, 'x'))) == "bad_chunk");
}

TEST_CASE("chunk lines and chunk data end in CR LF") {
  CHECK(error_of(chunked("5\nhello\r\n0\r\n\r\n")) == "bad_line_end");
  CHECK(error_of(chunked("5\r\nhello\n0\r\n\r\n")) == "bad_chunk");
  CHECK(error_of(chunked("5\r\nhello0\r\n\r\n")) == "bad_chunk");
  CHECK(error_of(chunked("5\r\nhello\r0\r\n\r\n")) == "bad_chunk");
  CHECK(error_of(chunked("5\r\nhelloXX0\r\n\r\n")) == "bad_chunk");
  CHECK(error_of(chunked("5\r\r\nhello\r\n0\r\n\r\n")) == "bad_chunk");
  CHECK(error_of(chunked("5\rhello\r\n0\r\n\r\n")) == "bad_chunk");
  CHECK(error_of(chunked("0\n\r\n")) == "bad_line_end");
}

TEST_CASE("the largest chunk size does not overflow") {
  const auto seen = parse(chunked("ffffffffffffffff\r\nhello"));
  CHECK(seen.error_word() == "none");
  CHECK(seen.bodies.at(0) == "hello");
  CHECK(seen.trailers.empty());
}

TEST_CASE("a request closes its connection in HTTP/1.0 and where it says so") {
  CHECK_FALSE(head_of(with_fields("Connection: close\r\n")).is_persistent);
  CHECK_FALSE(head_of(with_fields("Connection: x, CLOSE\r\n")).is_persistent);
  CHECK_FALSE(
      head_of(with_fields("Connection: keep-alive\r\nConnection: close\r\n")).is_persistent);
  CHECK_FALSE(head_of(with_fields("Proxy-Connection: close\r\n")).is_persistent);
  CHECK(head_of(with_fields("Connection: keep-alive\r\n")).is_persistent);
  CHECK(head_of(with_fields("Connection: closed\r\n")).is_persistent);
  CHECK_FALSE(head_of("GET / HTTP/1.0\r\n\r\n").is_persistent);
  CHECK_FALSE(head_of("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").is_persistent);
}

TEST_CASE("Expect counts where a body is to come in HTTP/1.1") {
  CHECK(head_of(with_fields("Expect: 100-Continue\r\nContent-Length: 1\r\n")).expects_continue);
  CHECK_FALSE(head_of(with_fields("Expect: 100-continue\r\n")).expects_continue);
  CHECK_FALSE(head_of(with_fields("Expect: other\r\nContent-Length: 1\r\n")).expects_continue);
  CHECK_FALSE(head_of("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
                  .expects_continue);
}

TEST_CASE("an expected body that is withheld eats the next request, and what is left is refused") {
  const auto seen =
      parse(with_fields("Expect: 100-continue\r\nContent-Length: 10\r\n") + std::string(kNext));
  CHECK(seen.heads.size() == 1);
  CHECK(seen.bodies.at(0) == kNext.substr(0, 10));
  CHECK(seen.error_word() == "bad_request_line");
}

TEST_CASE("a parser says whether it stands between messages or in a head") {
  RequestParser parser({});
  CHECK(parser.is_between_messages());
  std::string_view in = "\r\n";
  CHECK_FALSE(*parser.next(in));
  CHECK(parser.is_between_messages());
  in = "G";
  CHECK_FALSE(*parser.next(in));
  CHECK(parser.is_in_head());
  CHECK_FALSE(parser.is_between_messages());
  in = "ET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n\r\n";
  CHECK(*parser.next(in));
  CHECK(in.empty());
  CHECK_FALSE(parser.is_in_head());
  CHECK_FALSE(parser.is_between_messages());
  in = "x";
  CHECK(*parser.next(in));
  CHECK(*parser.next(in));
  CHECK(parser.is_between_messages());
  CHECK_FALSE(*parser.next(in));
}

TEST_CASE("after an error nothing more is parsed") {
  RequestParser parser({});
  std::string_view in = "X\n";
  CHECK_FALSE(parser.next(in));
  in = kNext;
  const auto again = parser.next(in);
  REQUIRE_FALSE(again);
  CHECK(again.error().code == base::Code::kBadLineEnd);
  CHECK(again.error().fault == base::Fault::kClient);
}

TEST_CASE("errors are the client's fault") {
  for (const std::string& bytes : {with_fields("a b: c\r\n"), chunked("x"), std::string("\n"),
                                   with_fields("Content-Length: x\r\n"), with_line("GET")}) {
    RequestParser parser({});
    std::string_view in = bytes;
    auto event = parser.next(in);
    while (event && *event) event = parser.next(in);
    REQUIRE_FALSE(event);
    CHECK(event.error().fault == base::Fault::kClient);
  }
}

TEST_CASE("a moved parser goes on where it was") {
  RequestParser first({});
  std::string_view in = "GET / HTTP/1.1\r\nHo";
  CHECK_FALSE(*first.next(in));
  RequestParser second(std::move(first));
  in = "st: a.test\r\n\r\n";
  CHECK(std::get<RequestHead>(**second.next(in)).host->host.text() == "a.test");
}

}  // namespace leash::http
