#include <doctest/doctest.h>

#include "unit/ctl/desk.h"

namespace leash::ctl {

TEST_CASE("no argument, help, -h and --help print the usage and are no error") {
  const Desk desk;
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{}, {"help"}, {"-h"}, {"--help"}, {""}}) {
    const Said said = desk.run(words);
    CHECK(said.code == 0);
    CHECK(said.err.empty());
    CHECK(has(said.out, "leashctl mode NAME"));
    CHECK(has(said.out, "leashctl edit enforce|blocklist"));
    CHECK(has(said.out, "exit codes"));
  }
}

TEST_CASE("each command has its own help") {
  const Desk desk;
  const Said said = desk.run({"help", "audit"});
  CHECK(said.code == 0);
  CHECK(has(said.out, "--would-block"));
  CHECK(desk.run({"audit", "--help"}).out == said.out);
}

TEST_CASE("an unknown command is named, escaped, with exit code 1") {
  const Desk desk;
  const Said said = desk.run({"moed"});
  CHECK(said.code == 1);
  CHECK(said.out.empty());
  CHECK(said.err == "leashctl: unknown command: moed (see 'leashctl help')\n");
  CHECK(has(desk.run({"\x1b[31m"}).err, "unknown command: \\x1b[31m ("));
  CHECK(desk.run({"--foo"}).code == 1);
}

TEST_CASE("options that a command does not have are wrong use") {
  const Desk desk;
  const Said said = desk.run({"lint", "--foo"});
  CHECK(said.code == 2);
  CHECK(said.err.starts_with("leashctl: "));
  CHECK(desk.run({"audit", "-o", "xml"}).code == 2);
  CHECK(desk.run({"tail", "-n", "-1"}).code == 2);
}

TEST_CASE("global options stand before or after the command") {
  const Desk desk;
  std::filesystem::create_directory(desk.path("other"));
  desk.write(desk.path("other") + "/mode", "audit\n");
  CHECK(desk.run({"--policy-dir", desk.path("other"), "mode"}).out == "audit\n");
  CHECK(desk.run({"--policy-dir=" + desk.path("other"), "mode"}).out == "audit\n");
  CHECK(desk.run({"mode", "--policy-dir", desk.path("other")}).out == "audit\n");
}

TEST_CASE("the version is printed") {
  const Desk desk;
  CHECK(desk.run({"--version"}).out.starts_with("leashctl "));
}

}  // namespace leash::ctl
