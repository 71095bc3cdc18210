#include <doctest/doctest.h>

#include "unit/ctl/desk.h"

namespace leash::ctl {

TEST_CASE("the mode is set and printed") {
  const Desk desk;
  const Said set = desk.run({"mode", "audit"});
  CHECK(set.code == 0);
  CHECK(set.out == "mode → audit\n");
  CHECK(trimmed(desk.read(desk.policy("mode"))) == "audit");
  CHECK(desk.run({"mode", "audit"}).code == 0);
  const Said shown = desk.run({"mode"});
  CHECK(shown.code == 0);
  CHECK(trimmed(shown.out) == "audit");
}

TEST_CASE(
    "the mode file is printed as it stands, even where it is wrong, but no terminal obeys it") {
  const Desk desk;
  desk.write(desk.policy("mode"), "Audit");
  CHECK(desk.run({"mode"}).out == "Audit");
  desk.write(desk.policy("mode"), "\x1b[2Jaudit\n");
  const Said shown = desk.run({"mode"});
  CHECK(shown.code == 0);
  CHECK(shown.out == "\\x1b[2Jaudit\n");
}

TEST_CASE("a missing mode is enforce") {
  const Desk desk;
  const Said shown = desk.run({"mode"});
  CHECK(shown.code == 0);
  CHECK(shown.out == "enforce\n");
}

TEST_CASE("an unknown mode is refused and nothing is written") {
  const Desk desk;
  for (const char* name : {"other", "Audit", "enforce audit", "enforce\n"}) {
    const Said said = desk.run({"mode", name});
    CHECK(said.code == 1);
    CHECK(has(said.err, "leashctl: unknown mode: "));
    CHECK(has(said.err, "(must be one of: enforce audit blocklist)"));
  }
  CHECK_FALSE(std::filesystem::exists(desk.policy("mode")));
}

TEST_CASE("further arguments of mode are ignored, as they were in the original") {
  const Desk desk;
  CHECK(desk.run({"mode", "blocklist", "now"}).out == "mode → blocklist\n");
}

TEST_CASE("a directory that is not there is an error") {
  const Desk desk;
  const Said said = desk.run({"mode", "audit", "--policy-dir", desk.path("none")});
  CHECK(said.code == 1);
  CHECK(said.err.starts_with("leashctl: "));
}

}  // namespace leash::ctl
