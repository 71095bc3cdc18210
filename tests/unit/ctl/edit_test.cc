#include <doctest/doctest.h>

#include "unit/ctl/desk.h"

namespace leash::ctl {
namespace {

constexpr const char* kGood = "allow:\n  - host: a.example\n";

}  // namespace

TEST_CASE("a good file is confirmed in the original's words") {
  Desk desk;
  desk.write(desk.policy("enforce.yaml"), kGood);
  desk.env["EDITOR"] = "true";
  const Said said = desk.run({"edit", "enforce"});
  CHECK(said.code == 0);
  CHECK(said.out == "enforce.yaml saved · YAML valid · proxy will reload on next request\n");
  CHECK(said.err.empty());
}

TEST_CASE("an editor with arguments works, and it gets the file's path") {
  Desk desk;
  desk.write(desk.policy("blocklist.yaml"), "block: [a.example]\n");
  desk.env["EDITOR"] = "sed -i s/a.example/b.example/";
  CHECK(desk.run({"edit", "blocklist"}).code == 0);
  CHECK(desk.read(desk.policy("blocklist.yaml")) == "block: [b.example]\n");
}

TEST_CASE("without a target the file of the mode in force is opened") {
  Desk desk;
  desk.write(desk.policy("enforce.yaml"), kGood);
  desk.write(desk.policy("blocklist.yaml"), "block: []\n");
  desk.env["EDITOR"] = "true";
  CHECK(has(desk.run({"edit"}).out, "enforce.yaml saved"));
  desk.write(desk.policy("mode"), "blocklist\n");
  CHECK(has(desk.run({"edit"}).out, "blocklist.yaml saved"));
  desk.write(desk.policy("mode"), "audit\n");
  const Said audit = desk.run({"edit"});
  CHECK(audit.code == 1);
  CHECK(has(audit.err, "audit mode has no policy file"));
  CHECK(has(audit.err, "'leashctl edit enforce'"));
  CHECK(has(audit.err, "'leashctl edit blocklist'"));
  desk.write(desk.policy("mode"), "other\n");
  const Said other = desk.run({"edit"});
  CHECK(other.code == 1);
  CHECK(other.err == "leashctl: unknown current mode\n");
}

TEST_CASE("other targets are refused") {
  const Desk desk;
  const Said said = desk.run({"edit", "agents"});
  CHECK(said.code == 1);
  CHECK(said.err == "leashctl: edit target must be 'enforce' or 'blocklist'\n");
}

TEST_CASE("a broken file is told of and stays as it is") {
  Desk desk;
  desk.write(desk.policy("enforce.yaml"), "allow: [\n");
  desk.env["EDITOR"] = "true";
  const Said said = desk.run({"edit", "enforce"});
  CHECK(said.code == 1);
  CHECK(has(said.err, "leashctl: " + desk.policy("enforce.yaml").string() +
                          " is not valid YAML — proxy will keep using the previous state\n"));
  CHECK(desk.read(desk.policy("enforce.yaml")) == "allow: [\n");
}

TEST_CASE("a finding in a valid file is a warning") {
  Desk desk;
  desk.write(desk.policy("enforce.yaml"), "allow:\n  - host: a.example\n    prots: [80]\n");
  desk.env["EDITOR"] = "true";
  const Said said = desk.run({"edit", "enforce"});
  CHECK(said.code == 0);
  CHECK(has(said.out, "YAML valid"));
  CHECK(has(said.err, "leashctl: warning: enforce.yaml:"));
}

TEST_CASE("the exit code of an editor that fails is handed on, and nothing is checked") {
  Desk desk;
  desk.write(desk.policy("enforce.yaml"), "allow: [\n");
  desk.env["EDITOR"] = "sh -c 'exit 7'";
  const Said said = desk.run({"edit", "enforce"});
  CHECK(said.code == 7);
  CHECK(said.err.empty());
  desk.env["EDITOR"] = desk.path("no-such-editor") + " 2>/dev/null";
  CHECK(desk.run({"edit", "enforce"}).code == 127);
}

}  // namespace leash::ctl
