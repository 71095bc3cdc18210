#include <doctest/doctest.h>

#include "unit/ctl/desk.h"

namespace leash::ctl {
namespace {

void write_good(const Desk& desk) {
  desk.write(desk.policy("mode"), "enforce\n");
  desk.write(desk.policy("enforce.yaml"), "allow:\n  - host: a.example\n");
  desk.write(desk.policy("blocklist.yaml"), "block: []\n");
  desk.write(desk.policy("agents.yaml"), "agent_networks:\n  - 10.10.10.0/24\n");
}

}  // namespace

TEST_CASE("a clean policy has no findings") {
  const Desk desk;
  write_good(desk);
  const Said said = desk.run({"lint"});
  CHECK(said.code == 0);
  CHECK(said.out == "no findings\n");
}

TEST_CASE("a mistake is told with file and line") {
  const Desk desk;
  write_good(desk);
  desk.write(desk.policy("enforce.yaml"),
             "allow:\n  - host: a.example\n  - host: b.example\n    ports: [70000]\n");
  const Said said = desk.run({"lint"});
  CHECK(said.code == 1);
  CHECK(has(said.out, "enforce.yaml:"));
  CHECK(has(said.out, ": error: "));
  CHECK(has(said.out, "1 error, 0 warnings\n"));
}

TEST_CASE("rules on public suffixes and shared hosting domains are warnings") {
  const Desk desk;
  write_good(desk);
  desk.write(desk.policy("enforce.yaml"),
             "allow:\n  - host: co.uk\n  - host: github.io\n  - host: amazonaws.com\n"
             "  - host: me.github.io\n");
  const Said said = desk.run({"lint"});
  CHECK(said.code == 0);
  CHECK(has(said.out, "enforce.yaml:2: warning: co.uk is a public suffix"));
  CHECK(has(said.out, "enforce.yaml:3: warning: github.io is a shared hosting domain"));
  CHECK(has(said.out, "enforce.yaml:4: warning: amazonaws.com is a shared hosting domain"));
  CHECK(has(said.out, "0 errors, 3 warnings\n"));
}

TEST_CASE("settings that cannot be read are a finding") {
  const Desk desk;
  write_good(desk);
  desk.write(desk.policy("leash.yaml"), "no_such_key: 1\n");
  const Said said = desk.run({"lint"});
  CHECK(said.code == 1);
  CHECK(has(said.out, "no_such_key"));
}

TEST_CASE("no finding carries a control character to the terminal") {
  const Desk desk;
  write_good(desk);
  desk.write(desk.policy("enforce.yaml"),
             "allow:\n  - host: \"\\e[31mx\"\n    \"k\\e]0;x\\a\": 1\n");
  const Said said = desk.run({"lint"});
  CHECK(said.code == 1);
  CHECK_FALSE(has(said.out, "\x1b"));
  CHECK_FALSE(has(said.out, "\a"));
}

}  // namespace leash::ctl
