#include <doctest/doctest.h>

#include <cstdlib>

#include "unit/ctl/desk.h"

namespace leash::ctl {
namespace {

std::string allowed(int minute, const std::string& host, const std::string& more = "") {
  return "{\"ts\": " + std::to_string(1'767'225'600 + minute * 60) +
         R"(.0, "event": "allowed", "client": "10.0.0.1", "host": ")" + host +
         R"(", "port": 443, "method": "GET", "url": "https://)" + host + R"(/x", "status": 200)" +
         more + "}\n";
}

// What `patch` would make of the one hunk.
std::string after_diff(const std::string& before, const std::string& diff) {
  std::istringstream lines(diff);
  std::string line;
  std::string old_part;
  std::string new_part;
  while (std::getline(lines, line)) {
    if (line.starts_with("---") || line.starts_with("+++") || line.starts_with("@@")) continue;
    if (line[0] != '+') old_part += line.substr(1) + "\n";
    if (line[0] != '-') new_part += line.substr(1) + "\n";
  }
  const auto at = before.find(old_part);
  REQUIRE(at != std::string::npos);
  return before.substr(0, at) + new_part + before.substr(at + old_part.size());
}

}  // namespace

TEST_CASE("learn prints as a diff what --apply would do, and changes nothing") {
  const Desk desk;
  desk.write(desk.log(), allowed(0, "new.example") + allowed(1, "old.example"));
  const std::string before = "# mine\nallow:\n  - host: old.example # keep\nmore: kept\n";
  desk.write(desk.policy("enforce.yaml"), before);
  const Said said = desk.run({"learn"});
  CHECK(said.code == 0);
  CHECK(said.out.starts_with("--- " + desk.policy("enforce.yaml").string() + "\n+++ "));
  CHECK(has(said.out, "\n+  - host: new.example\n"));
  CHECK_FALSE(has(said.out, "\n-"));
  CHECK(has(said.err, "1 entry to add (2 requests to 2 places"));
  CHECK(desk.read(desk.policy("enforce.yaml")) == before);

  CHECK(desk.run({"learn", "--apply"}).out.starts_with("enforce.yaml: 1 entry added"));
  CHECK(desk.read(desk.policy("enforce.yaml")) == after_diff(before, said.out));
  const Said again = desk.run({"learn", "--apply"});
  CHECK(again.code == 0);
  CHECK(again.out.empty());
  CHECK(has(again.err, "nothing to add"));
}

TEST_CASE("learn makes the file where there is none") {
  const Desk desk;
  desk.write(desk.log(), allowed(0, "new.example"));
  CHECK(has(desk.run({"learn"}).out, "--- /dev/null\n"));
  CHECK(desk.run({"learn", "--apply"}).code == 0);
  CHECK(has(desk.read(desk.policy("enforce.yaml")), "- host: new.example\n"));
}

TEST_CASE("learn --print needs no policy and gives one that stands for itself") {
  const Desk desk;
  desk.write(desk.log(), allowed(0, "new.example") + allowed(1, "github.io"));
  desk.write(desk.policy("enforce.yaml"), "allow: [\n");
  const Said said = desk.run({"learn", "--print"});
  CHECK(said.code == 0);
  CHECK(has(said.out, "# Left out: github.io:443"));
  CHECK(has(said.out, "\nallow:\n  # 1 request"));
  const Said broken = desk.run({"learn"});
  CHECK(broken.code == 1);
  CHECK(broken.out.empty());
  CHECK(desk.run({"learn", "--print", "--apply"}).code == 2);
  desk.write(desk.log(), "");
  CHECK(has(desk.run({"learn", "--print"}).out, "\nallow: []\n"));
}

TEST_CASE("learn takes the filters of a period and an agent") {
  const Desk desk;
  desk.write(desk.log(), allowed(0, "a.example") + allowed(5, "b.example", R"(, "agent": "tank")") +
                             allowed(9, "c.example"));
  const Said said = desk.run(
      {"learn", "--print", "--since", "2026-01-01T00:01:00Z", "--until", "2026-01-01T00:08:00Z"});
  CHECK(has(said.out, "b.example"));
  CHECK_FALSE(has(said.out, "a.example"));
  CHECK_FALSE(has(said.out, "c.example"));
  const Said agent = desk.run({"learn", "--print", "--agent", "tank"});
  CHECK(has(agent.out, "by tank"));
  CHECK_FALSE(has(agent.out, "a.example"));
  CHECK(desk.run({"learn", "--since", "noon"}).code == 2);
}

TEST_CASE("learn from a log that cannot be read to its end proposes nothing") {
  const Desk desk;
  desk.write(desk.log(), allowed(0, "a.example"));
  const Said said = desk.run({"learn", "--print", desk.log(), desk.path("none")});
  CHECK(said.code == 1);
  CHECK(said.out.empty());
}

TEST_CASE("rotated files are read before the log, by their first event, each once") {
  const Desk desk;
  desk.write(desk.log(), allowed(9, "d.example"));
  desk.write(desk.log() + ".1", allowed(5, "c.example"));
  desk.write(desk.log() + "-20260101", allowed(0, "a.example"));
  desk.write(desk.log() + ".10", allowed(2, "b.example"));
  REQUIRE(std::system(("gzip -k " + desk.log() + ".10").c_str()) == 0);
  desk.write(desk.log() + ".lock", "x");
  desk.write(desk.log() + "x", allowed(1, "no.example"));
  const std::string out = desk.run({"audit", "--rotated", "-o", "csv"}).out;
  std::size_t last = 0;
  for (const char* host : {"a.example,", "b.example,", "c.example,", "d.example,"}) {
    const auto at = out.find(host);
    CHECK(at != std::string::npos);
    CHECK(at > last);
    CHECK(out.find(host, at + 1) == std::string::npos);
    last = at;
  }
  CHECK_FALSE(has(out, "no.example"));
  CHECK(has(desk.run({"learn", "--rotated", "--print"}).out, "a.example"));
  CHECK(has(desk.run({"top", "--rotated"}).out, "a.example"));
  CHECK_FALSE(has(desk.run({"top"}).out, "a.example"));
  CHECK(desk.run({"audit", "--rotated", desk.log()}).code == 2);
}

}  // namespace leash::ctl
