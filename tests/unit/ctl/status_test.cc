#include <doctest/doctest.h>

#include "tls/direct_leaves.h"
#include "unit/ctl/desk.h"

namespace leash::ctl {
namespace {

void set_up(const Desk& desk) {
  desk.write(desk.policy("mode"), "enforce\n");
  desk.write(desk.policy("enforce.yaml"), "allow:\n  - host: a.example\n");
  desk.write(desk.policy("blocklist.yaml"), "block: []\n");
  desk.write(desk.policy("agents.yaml"), "agent_networks: [10.10.10.0/24]\n");
  desk.write(desk.log(),
             "{\"ts\": 1767225600.0, \"event\": \"stop\", \"version\": \"\\u001b[31m\"}\n");
  REQUIRE(tls::DirectIssuer::open(desk.ca_dir()).has_value());
}

}  // namespace

TEST_CASE("all well: everything at a glance, exit code 0") {
  const Desk desk;
  set_up(desk);
  const Said said = desk.run({"status"});
  CHECK(said.code == 0);
  CHECK(has(said.out, "mode        enforce\n"));
  CHECK(has(said.out, "enforce     1 entry\n"));
  CHECK(has(said.out, "blocklist   0 entries\n"));
  CHECK(has(said.out, "findings    none\n"));
  CHECK(has(said.out, "log         " + desk.log()));
  CHECK(has(said.out, "2026-01-01T00:00:00.000Z  stop"));
  CHECK(has(said.out, "CA          " + desk.ca_dir() + "/leash-ca-cert.pem, until 2"));
  CHECK(has(said.out, "admin       off\n"));
  CHECK_FALSE(has(said.out, "\x1b"));
}

TEST_CASE("what needs attention gives exit code 1") {
  Desk desk;
  set_up(desk);
  desk.env["LEASH_ADMIN"] = "unix:" + desk.path("nobody");
  const Said said = desk.run({"status"});
  CHECK(said.code == 1);
  CHECK(has(said.out, "no answer"));
}

TEST_CASE("an empty host says what is missing") {
  const Desk desk;
  const Said said = desk.run({"status"});
  CHECK(said.code == 1);
  CHECK(has(said.out, "mode        enforce (the file is missing or unreadable)\n"));
  CHECK(has(said.out, "enforce     missing, or broken as a whole\n"));
}

}  // namespace leash::ctl
