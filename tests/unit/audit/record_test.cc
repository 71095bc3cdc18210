#include "audit/record.h"

#include <doctest/doctest.h>

#include "audit/header_json.h"
#include "audit/json_text.h"
#include "audit/line_view.h"

namespace leash::audit {
namespace {

const Redactor kKeep(Redactor::Secrets::kKeep, "");

using std::chrono::milliseconds;

Record at(double seconds, Event event) {
  Record record;
  record.event = event;
  record.time = std::chrono::system_clock::time_point(
      milliseconds(static_cast<std::int64_t>(seconds * 1000)));
  return record;
}

std::string quoted(std::string_view bytes) {
  std::string out;
  append_string(out, bytes);
  return out;
}

std::string number(double value) {
  std::string out;
  append_double(out, value);
  return out;
}

TEST_CASE("the original's example lines come out byte for byte") {
  Record record = at(1767225600.25, Event::kConnectAllowed);
  record.client = "10.10.10.7";
  record.host = "api.example.net";
  record.port = 443;
  CHECK(
      render(record) + "}" ==
      R"({"ts": 1767225600.25, "event": "connect_allowed", "client": "10.10.10.7", "host": "api.example.net", "port": 443})");

  record = at(1767225601.5, Event::kBlocked);
  record.client = "10.10.10.7";
  record.host = "evil.example";
  record.port = 443;
  record.reason = "not_in_allowlist";
  CHECK(
      render(record) + "}" ==
      R"({"ts": 1767225601.5, "event": "blocked", "client": "10.10.10.7", "host": "evil.example", "port": 443, "reason": "not_in_allowlist"})");

  record = at(1767225602.75, Event::kBlocked);
  record.client = "10.10.10.7";
  record.host = "api.example.net";
  record.port = 443;
  record.method = "POST";
  record.url = "https://api.example.net/private?x=1";
  record.reason = "path_not_allowed";
  record.req_headers = R"([["Host", "api.example.net"], ["Content-Type", "application/json"]])";
  record.req_body = R"({"a": 1})";
  CHECK(
      render(record) + "}" ==
      R"({"ts": 1767225602.75, "event": "blocked", "client": "10.10.10.7", "host": "api.example.net", "port": 443, "method": "POST", "url": "https://api.example.net/private?x=1", "reason": "path_not_allowed", "req_headers": [["Host", "api.example.net"], ["Content-Type", "application/json"]], "req_body": "{\"a\": 1}"})");

  record = at(1767225603.125, Event::kAllowed);
  record.client = "10.10.10.7";
  record.host = "files.example.net";
  record.port = 443;
  record.method = "GET";
  record.url = "https://files.example.net/list";
  record.status = 200;
  record.bytes = 17;
  record.would_block = true;
  record.req_headers = R"([["Host", "files.example.net"]])";
  record.res_headers = R"([["Content-Type", "application/json"]])";
  record.res_body = R"({"items": [1, 2]})";
  CHECK(
      render(record) + "}" ==
      R"({"ts": 1767225603.125, "event": "allowed", "client": "10.10.10.7", "host": "files.example.net", "port": 443, "method": "GET", "url": "https://files.example.net/list", "status": 200, "bytes": 17, "audit": "would_block_in_enforce", "req_headers": [["Host", "files.example.net"]], "res_headers": [["Content-Type", "application/json"]], "res_body": "{\"items\": [1, 2]}"})");

  record = at(1767225604, Event::kError);
  record.client = "10.10.10.7";
  record.host = "down.example";
  record.port = 80;
  record.method = "GET";
  record.url = "http://down.example/";
  record.reason = "[Errno 111] Connect call failed";
  CHECK(
      render(record) + "}" ==
      R"({"ts": 1767225604.0, "event": "error", "client": "10.10.10.7", "host": "down.example", "port": 80, "method": "GET", "url": "http://down.example/", "reason": "[Errno 111] Connect call failed"})");

  record = at(1767225606, Event::kModeChange);
  record.extra = {{"previous", "enforce"}, {"mode", "audit"}};
  CHECK(render(record) + "}" ==
        R"({"ts": 1767225606.0, "event": "mode_change", "previous": "enforce", "mode": "audit"})");
}

TEST_CASE("our fields come after the original's, extra ones last") {
  Record record = at(1, Event::kAllowed);
  record.req_truncated = true;
  record.res_truncated = true;
  record.req_headers = header_json({}, kKeep);
  record.id = "r1";
  record.tunnel = "t1";
  record.agent = "a";
  record.sni = "s";
  record.addr = "1.2.3.4:443";
  record.alpn = "h2";
  record.origin_cert = "c0";
  record.names = "mismatch: sni";
  record.rule = "enforce.yaml x.com";
  record.note = "why";
  record.tls = "splice";
  record.ms = 12.3456;
  record.bytes_up = 0;
  record.bytes_down = 18446744073709551615U;
  record.extra = {{"k", "v"}};
  record.extra_numbers = {{"n", -5}};
  CHECK(
      render(record) ==
      R"({"ts": 1.0, "event": "allowed", "client": null, "host": "", "port": 0, "req_headers": [], "req_truncated": true, "res_truncated": true, "id": "r1", "tunnel": "t1", "agent": "a", "sni": "s", "addr": "1.2.3.4:443", "alpn": "h2", "origin_cert": "c0", "names": "mismatch: sni", "rule": "enforce.yaml x.com", "note": "why", "tls": "splice", "ms": 12.346, "bytes_up": 0, "bytes_down": 18446744073709551615, "k": "v", "n": -5)");
}

TEST_CASE("an empty body is left out, its truncation is not") {
  Record record = at(1, Event::kAllowed);
  record.res_body = "";
  record.res_truncated = true;
  CHECK(render(record).find("res_body") == std::string::npos);
  CHECK(render(record).ends_with(", \"res_truncated\": true"));
}

TEST_CASE("a record without a time has the time of its rendering") {
  const double before = unix_seconds(std::chrono::system_clock::now());
  const std::string line = render(Record{}) + "}";
  const auto view = LineView::parse(line);
  REQUIRE(view);
  CHECK(view->number("ts").value() >= before);
}

TEST_CASE("text is ASCII with Python's escapes") {
  CHECK(quoted("a/b \"\\ \b\f\n\r\t") == R"("a/b \"\\ \b\f\n\r\t")");
  CHECK(quoted(std::string_view("\0\x1f\x7f", 3)) == R"("\u0000\u001f\u007f")");
  CHECK(quoted("b\xc3\xbc\xe2\x80\xa8\xf0\x9f\x98\x80") == R"("b\u00fc\u2028\ud83d\ude00")");
}

TEST_CASE("an escape is found wherever in a long text it stands") {
  for (const std::size_t size : {1U, 7U, 8U, 9U, 63U, 64U, 65U, 128U, 130U, 200U}) {
    const std::string plain(size, 'x');
    CHECK(quoted(plain) == '"' + plain + '"');
    for (std::size_t i = 0; i < size; ++i) {
      for (const auto& [byte, escape] :
           {std::pair{'"', "\\\""}, std::pair{'\\', "\\\\"}, std::pair{'\x1f', "\\u001f"},
            std::pair{'\x7f', "\\u007f"}, std::pair{'\x80', "\\udc80"}}) {
        std::string text = plain;
        text[i] = byte;
        CHECK(quoted(text) == '"' + plain.substr(0, i) + escape + plain.substr(i + 1) + '"');
      }
    }
  }
}

TEST_CASE("bytes that are not UTF-8 become lone surrogates") {
  CHECK(quoted("\xff") == R"("\udcff")");
  CHECK(quoted("\xe2\x82") == R"("\udce2\udc82")");
  CHECK(quoted("\xe2\x82x") == R"("\udce2\udc82x")");
  CHECK(quoted("\xc0\x80") == R"("\udcc0\udc80")");            // overlong
  CHECK(quoted("\xed\xb2\x80") == R"("\udced\udcb2\udc80")");  // a surrogate
  CHECK(quoted("\xf4\x90\x80\x80") == R"("\udcf4\udc90\udc80\udc80")");
}

TEST_CASE("a text that stays elsewhere is rendered as one of the record's own") {
  std::string host = "api.example.net";
  Record own = at(1, Event::kRequest);
  own.host = host;
  own.url = "";
  Record borrowing = at(1, Event::kRequest);
  borrowing.host = Text::borrowed(host);
  borrowing.url = Text::borrowed("");
  CHECK(render(borrowing) == render(own));
  const Record copy = borrowing;
  CHECK(render(copy) == render(own));
  host.back() = 'x';
  CHECK(render(borrowing).find("api.example.nex") != std::string::npos);
}

TEST_CASE("any byte makes one line and comes back") {
  for (int byte = 0; byte < 256; ++byte) {
    Record record = at(1, Event::kRequest);
    record.host = std::string("a") + static_cast<char>(byte) + "b";
    record.method = record.url = record.sni = record.host;
    record.req_headers = header_json({{record.host, record.host}}, kKeep);
    const std::string line = render(record) + "}";
    for (const char c : line) REQUIRE((c >= 0x20 && c < 0x7f));
    const auto view = LineView::parse(line);
    REQUIRE(view);
    CHECK(view->text("host") == record.host.view());
    CHECK(view->text("sni") == record.host.view());
  }
}

TEST_CASE("numbers look as Python's repr has them") {
  CHECK(number(0) == "0.0");
  CHECK(number(0.1) == "0.1");
  CHECK(number(1767225600.1234567) == "1767225600.1234567");
  CHECK(number(1e15) == "1000000000000000.0");
  CHECK(number(1e16) == "1e+16");
  CHECK(number(0.0001) == "0.0001");
  CHECK(number(0.00001) == "1e-05");
  CHECK(number(-2.5) == "-2.5");
}

TEST_CASE("repeated headers are folded at their first place and spelling") {
  const HeaderLines lines = {
      {"Set-Cookie", "a=1"}, {"X", "y"}, {"set-cookie", "b=2"}, {"SET-COOKIE", ""}};
  CHECK(header_json(lines, kKeep) == R"([["Set-Cookie", "a=1, b=2, "], ["X", "y"]])");
  CHECK(header_json({}, kKeep) == "[]");
  const Redactor redactor(Redactor::Secrets::kRedact, "k");
  CHECK(header_json(lines, redactor) ==
        header_json({{"Set-Cookie", "a=1, b=2, "}, {"X", "y"}}, redactor));
  CHECK(header_json(lines, redactor).find("a=1") == std::string::npos);
}

}  // namespace
}  // namespace leash::audit
