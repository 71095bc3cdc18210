#include "console/row.h"

#include <doctest/doctest.h>

#include "console/har.h"
#include "console/replay.h"

namespace leash::console {

TEST_CASE("a line becomes a row") {
  std::uint64_t seq = 0;
  const auto row = read_row(
      R"({"ts": 1767225603.125, "event": "allowed", "client": "10.0.0.7", "host": "a.example", "port": 443, "method": "GET", "url": "https://a.example/x?y=1", "status": 200, "bytes": 17, "audit": "would_block_in_enforce", "res_truncated": true, "id": "ab-1", "names": "mismatch: sni", "ms": 12.5, "seq": 9})",
      seq);
  REQUIRE(row.has_value());
  CHECK(seq == 9);
  CHECK(row->time_us == 1'767'225'603'125'000);
  CHECK(row->kind == EventKind::kAllowed);
  CHECK(row->has(kWouldBlock));
  CHECK(row->has(kNameMismatch));
  CHECK(row->has(kTruncated));
  CHECK_FALSE(row->has(kLocalPlace));
  CHECK(row->down() == 17);
  CHECK(time_text(row->time_us) == "2026-01-01T00:00:03.125Z");
}

TEST_CASE("an event without a host tells its fields") {
  std::uint64_t seq = 0;
  const auto row = read_row(
      R"({"ts": 1, "event": "mode_change", "previous": "audit", "mode": "enforce", "seq": 3, "chain": "ff"})",
      seq);
  REQUIRE(row.has_value());
  CHECK(row->from == "audit");
  CHECK(row->to == "enforce");
  CHECK(row->reason == "previous=audit mode=enforce");
}

TEST_CASE("lines that are none, and times that are none") {
  std::uint64_t seq = 0;
  for (const char* line : {"", "{}", "[]", R"({"event": 1})",
                           R"({"event": "x"} )"
                           "x"}) {
    CHECK_FALSE(read_row(line, seq).has_value());
  }
  for (const char* ts : {"-1", "1e300", "\"x\"", "0"}) {
    const std::string line = R"({"event": "allowed", "ts": )" + std::string(ts) + "}";
    const auto row = read_row(line, seq);
    REQUIRE(row.has_value());
    CHECK(row->time_us == 0);
  }
}

TEST_CASE("places that are not on the internet") {
  for (const char* host :
       {"127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "::1", "fd00::1", "localhost",
        "printer.local", "nas.fritz.box", "home", "x.internal", "LAN"}) {
    CHECK(is_local_place(host));
  }
  for (const char* host :
       {"example.com", "8.8.8.8", "mylocal", "local.example.com", "2606:4700::1", ""}) {
    CHECK_FALSE(is_local_place(host));
  }
}

TEST_CASE("the path of a row is what policy decides on") {
  Row row;
  row.kind = EventKind::kAllowed;
  row.host = "a.example";
  row.port = 443;
  row.method = "GET";
  for (const auto& [url, path] :
       std::vector<std::pair<std::string, std::string>>{{"https://a.example/v1?x=/y", "/v1?x=/y"},
                                                        {"https://a.example", "/"},
                                                        {"https://a.example?q", "/?q"},
                                                        {"http://a.example:80/", "/"}}) {
    row.url = url;
    const auto request = replayed(row);
    REQUIRE(request.has_value());
    CHECK(request->path == path);
  }
  row.host = "bad host";
  CHECK_FALSE(replayed(row).has_value());
}

TEST_CASE("a HAR entry of a line, and none of a line that is no request") {
  CHECK(har_entry(R"({"event": "start", "ts": 1})").empty());
  CHECK(har_entry("x").empty());
  const std::string entry = har_entry(
      R"({"ts": 10, "event": "blocked", "host": "h", "port": 1, "method": "GET", "url": "http://h/?a=<b>", "reason": "r", "req_headers": [["A\"", "1"], ["Content-Type", "t"]], "req_body": "x"})");
  CHECK(entry.find(R"({"name":"A\"","value":"1"})") != std::string::npos);
  CHECK(entry.find(R"("postData":{"mimeType":"t","text":"x"})") != std::string::npos);
  CHECK(entry.find(R"("statusText":"r")") != std::string::npos);
}

}  // namespace leash::console
