#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>

#include "unit/ctl/desk.h"

namespace leash::ctl {
namespace {

// One line a request, at 2026-01-01T00:00:00Z and the minutes after it.
std::string line(int minute, const std::string& fields) {
  return "{\"ts\": " + std::to_string(1'767'225'600 + minute * 60) + ".0, " + fields + "}\n";
}

void write_log(const Desk& desk) {
  desk.write(
      desk.log(),
      line(0, R"("event": "allowed", "client": "10.0.0.1", "host": "a.example", "port": 443, )"
              R"("method": "GET", "url": "https://a.example/", "status": 200, "bytes": 10)") +
          line(1, R"("event": "blocked", "client": "10.0.0.2", "host": "b.example", "port": 443, )"
                  R"("reason": "not_in_allowlist", "agent": "tank-2")") +
          line(
              2,
              R"("event": "allowed", "client": "10.0.0.1", "host": "sub.b.example", "port": 80, )"
              R"("method": "GET", "url": "http://sub.b.example/=1", "status": 404, "bytes_up": 5, )"
              R"("bytes_down": 2000, "audit": "would_block_in_enforce")") +
          line(3, R"("event": "mode_change", "previous": "enforce", "mode": "audit")"));
}

std::size_t rows(const Said& said) {
  return static_cast<std::size_t>(std::count(said.out.begin(), said.out.end(), '\n'));
}

}  // namespace

TEST_CASE("each filter lets through what it names") {
  const Desk desk;
  write_log(desk);
  const auto found = [&desk](std::vector<std::string> filter) {
    filter.insert(filter.begin(), {"audit", "-o", "ndjson"});
    const Said said = desk.run(filter);
    CHECK(said.code == 0);
    return rows(said);
  };
  CHECK(found({}) == 4);
  CHECK(found({"--event", "allowed"}) == 2);
  CHECK(found({"--host", "B.example"}) == 2);
  CHECK(found({"--host", "example"}) == 3);
  CHECK(found({"--host", "b.example", "--event", "blocked"}) == 1);
  CHECK(found({"--client", "10.0.0.1"}) == 2);
  CHECK(found({"--client", "10.0.0.0/24"}) == 3);
  CHECK(found({"--client", "unix:1000"}) == 0);
  CHECK(found({"--agent", "tank-2"}) == 1);
  CHECK(found({"--status", "404"}) == 1);
  CHECK(found({"--would-block"}) == 1);
  CHECK(found({"--since", "2026-01-01T00:01:00Z"}) == 3);
  CHECK(found({"--until", "2026-01-01T00:01:00Z"}) == 1);
  CHECK(found({"--since", "1h"}) == 0);
}

TEST_CASE("a user on a unix socket is found by name") {
  const Desk desk;
  desk.write(desk.log(), line(0, R"("event": "request", "client": "unix:1000", "host": "a")") +
                             line(1, R"("event": "request", "client": "unix:100", "host": "a")"));
  CHECK(rows(desk.run({"audit", "-o", "ndjson", "--client", "unix:1000"})) == 1);
}

TEST_CASE("a filter that cannot be read is wrong use, not an empty answer") {
  const Desk desk;
  write_log(desk);
  for (const std::vector<std::string>& filter :
       std::vector<std::vector<std::string>>{{"--since", "yesterday"},
                                             {"--event", "block"},
                                             {"--client", "ten"},
                                             {"--host", "a b"}}) {
    std::vector<std::string> words = {"audit"};
    words.insert(words.end(), filter.begin(), filter.end());
    const Said said = desk.run(words);
    CHECK(said.code == 2);
    CHECK(said.out.empty());
  }
}

TEST_CASE("the table has a heading and a line an event") {
  const Desk desk;
  write_log(desk);
  const Said said = desk.run({"audit"});
  CHECK(said.out.starts_with("TIME "));
  CHECK(rows(said) == 5);
  CHECK(has(said.out, "b.example:443  not_in_allowlist  agent tank-2\n"));
  CHECK(has(said.out, "404  2.0 KiB"));
}

TEST_CASE("ndjson gives the lines as they are, in ASCII") {
  const Desk desk;
  const std::string text =
      line(0, "\"event\": \"blocked\", \"client\": null, \"host\": \"\xc3\xa4\", \"port\": 1");
  desk.write(desk.log(), text);
  const Said said = desk.run({"audit", "-o", "ndjson"});
  CHECK(has(said.out, R"("host": "\u00e4")"));
}

TEST_CASE("CSV cells are no formulas and no line breaks") {
  const Desk desk;
  desk.write(desk.log(), line(0, R"("event": "blocked", "client": "10.0.0.1", "host": "a", )"
                                 R"("port": 80, "method": "=cmd|'/C calc'!A0", )"
                                 R"("url": "@SUM(1)\r\n=1", "reason": "-1")"));
  const Said said = desk.run({"audit", "-o", "csv"});
  CHECK(said.out.starts_with("time,event,client,"));
  CHECK(rows(said) == 2);
  CHECK(has(said.out, "\"'=cmd|'/C calc'!A0\""));
  CHECK(has(said.out, "\"'@SUM(1)\\r\\n=1\""));
  CHECK(has(said.out, "\"'-1\""));
}

TEST_CASE("CSV keeps the fields of an event without a host") {
  const Desk desk;
  write_log(desk);
  const Said said = desk.run({"audit", "-o", "csv", "--event", "mode_change"});
  CHECK(has(said.out, "previous=enforce mode=audit"));
}

TEST_CASE("lines that are no events are left out and counted") {
  const Desk desk;
  write_log(desk);
  desk.append(desk.log(), "not json\n{\"a\": 1}\n");
  const Said said = desk.run({"audit", "-o", "ndjson"});
  CHECK(said.code == 0);
  CHECK(rows(said) == 4);
  CHECK(has(said.err, "2 lines"));
}

TEST_CASE("files are read in the order they are named") {
  const Desk desk;
  desk.write(desk.path("1"), line(0, R"("event": "start", "version": "1")"));
  desk.write(desk.path("2"), line(1, R"("event": "stop")"));
  const Said said = desk.run({"audit", "-o", "ndjson", desk.path("2"), desk.path("1")});
  CHECK(said.code == 0);
  CHECK(said.out.find("stop") < said.out.find("start"));
  CHECK(desk.run({"audit", desk.path("none")}).code == 1);
}

TEST_CASE("packed logs are read") {
  const Desk desk;
  write_log(desk);
  REQUIRE(std::system(("gzip " + desk.log()).c_str()) == 0);
  const Said said = desk.run({"audit", "-o", "ndjson", desk.log() + ".gz"});
  CHECK(said.code == 0);
  CHECK(rows(said) == 4);
}

TEST_CASE("top counts outcomes once, by host and by agent") {
  const Desk desk;
  write_log(desk);
  desk.append(
      desk.log(),
      line(4, R"("event": "request", "client": "10.0.0.1", "host": "a.example", "port": 443)") +
          line(4, R"("event": "tunnel_closed", "client": "10.0.0.1", "host": "a.example", )"
                  R"("port": 443, "bytes_up": 1000, "bytes_down": 1000)") +
          line(4, R"("event": "tunnel_closed", "client": "10.0.0.1", "host": "p.example", )"
                  R"("port": 443, "bytes_up": 9, "bytes_down": 1, "tls": "splice")"));
  const Said said = desk.run({"top"});
  CHECK(said.code == 0);
  CHECK(has(said.out, "        1         0         0        10 B  a.example\n"));
  CHECK(has(said.out, "        1         1         0         0 B  b.example\n"));
  CHECK(has(said.out, "        2         0         0     2.0 KiB  10.0.0.1\n"));
  CHECK(has(said.out, "        1         1         0         0 B  tank-2\n"));
  CHECK(has(said.out, "        0         0         0        10 B  p.example\n"));
  const Said one = desk.run({"top", "-n", "1", "--event", "blocked"});
  CHECK_FALSE(has(one.out, "a.example"));
  CHECK(desk.run({"top", "-n", "0"}).code == 2);
}

TEST_CASE("open shows what has no outcome, under way or left by an earlier run") {
  const Desk desk;
  const auto line = [](const std::string& event, const std::string& id) {
    return R"({"ts": 1767225600.0, "event": ")" + event +
           R"(", "client": "10.0.0.7", "host": "a.example", "port": 443, "method": "GET", "url": "https://a.example/)" +
           id + R"(", "id": ")" + id + "\"}\n";
  };
  const std::string start = "{\"ts\": 1.0, \"event\": \"start\", \"version\": \"1\"}\n";
  desk.write(desk.path("old"), start + line("request", "x1") + line("request", "x2"));
  desk.write(desk.log(), line("allowed", "x2") + start + line("request", "x3") +
                             line("request", "x4") + line("error", "x4"));
  const Said said = desk.run({"audit", "open", desk.path("old"), desk.log()});
  CHECK(said.code == 0);
  CHECK(has(said.out, "10.0.0.7         GET https://a.example/x1  left open\n"));
  CHECK(has(said.out, "10.0.0.7         GET https://a.example/x3  under way\n"));
  CHECK_FALSE(has(said.out, "/x2"));
  CHECK_FALSE(has(said.out, "/x4"));
  CHECK(has(said.out, "2 without an outcome: 1 under way, 1 left open by an earlier run\n"));

  // The log where no file is named; filters and outputs as with `audit`.
  CHECK(desk.run({"audit", "open", "-o", "ndjson"}).out == line("request", "x3"));
  CHECK(has(desk.run({"audit", "open", "--output", "csv"}).out, ",x3,,under way\r\n"));
  CHECK(has(desk.run({"audit", "open", "--host", "b.example"}).out, "0 without an outcome"));
  CHECK(desk.run({"audit", "open", "--client", "nobody"}).code == 2);
  CHECK(desk.run({"audit", "open", desk.path("none")}).code == 1);
}

}  // namespace leash::ctl
