#include <doctest/doctest.h>

#include "unit/ctl/desk.h"

namespace leash::ctl {
namespace {

void write_policy(const Desk& desk) {
  desk.write(desk.policy("mode"), "enforce\n");
  desk.write(desk.policy("enforce.yaml"),
             "allow:\n"
             "  - host: api.example\n"
             "    paths:\n"
             "      - { method: GET, prefix: /v1/ }\n"
             "    reason: \"the \\e[31mAPI\"\n"
             "  - host: pinned.example\n"
             "    tls: splice\n");
  desk.write(desk.policy("blocklist.yaml"), "block:\n  - bad.example\n");
}

}  // namespace

TEST_CASE("each mode says what it does, by which rule") {
  const Desk desk;
  desk.write(desk.policy("mode"), "enforce\n");
  desk.write(desk.policy("enforce.yaml"),
             "allow:\n  - host: api.example\n    paths:\n      - { method: GET, prefix: /v1/ }\n");
  desk.write(desk.policy("blocklist.yaml"), "block:\n  - bad.example\n");
  const Said good = desk.run({"check", "https://sub.API.example/v1/x?y#z"});
  CHECK(good.code == 0);
  CHECK(has(good.out, "GET https://sub.api.example/v1/x?y\n"));
  CHECK(has(good.out, "* enforce    allowed  enforce.yaml:2 api.example"));
  CHECK(has(good.out, "  audit      allowed"));
  const Said path = desk.run({"check", "https://api.example/v2/"});
  CHECK(path.code == 1);
  CHECK(has(path.out, "* enforce    blocked  path_not_allowed"));
  CHECK(has(path.out, "  audit      allowed  would_block_in_enforce"));
  CHECK(desk.run({"check", "https://api.example/v1/", "-X", "POST"}).code == 1);
  const Said bad = desk.run({"check", "https://bad.example"});
  CHECK(has(bad.out, "* enforce    blocked  not_in_allowlist"));
  CHECK(has(bad.out, "  blocklist  blocked  in_blocklist  blocklist.yaml:2 bad.example"));
  CHECK(desk.run({"check", "https://api.example/v1/../v2"}).code == 1);
}

TEST_CASE("the mode in force gives the exit code") {
  const Desk desk;
  write_policy(desk);
  CHECK(desk.run({"check", "https://else.example/"}).code == 1);
  desk.write(desk.policy("mode"), "audit\n");
  CHECK(desk.run({"check", "https://else.example/"}).code == 0);
  desk.write(desk.policy("mode"), "nonsense\n");
  CHECK(desk.run({"check", "https://else.example/"}).code == 1);
}

TEST_CASE("HOST:PORT asks for the CONNECT alone") {
  const Desk desk;
  write_policy(desk);
  const Said said = desk.run({"check", "pinned.example:443"});
  CHECK(said.code == 0);
  CHECK(has(said.out, "CONNECT pinned.example:443\n"));
  CHECK(has(said.out, "spliced, not read"));
  CHECK(desk.run({"check", "pinned.example:444"}).code == 1);
}

TEST_CASE("an address that is not public is refused in every mode") {
  const Desk desk;
  write_policy(desk);
  desk.write(desk.policy("mode"), "audit\n");
  const Said said = desk.run({"check", "http://127.0.0.1:9000/"});
  CHECK(said.code == 1);
  CHECK(has(said.out, "address_not_allowed"));
}

TEST_CASE("nothing in a policy file reaches the terminal unescaped") {
  const Desk desk;
  write_policy(desk);
  const Said said = desk.run({"check", "https://api.example/v1/\x1b[31m"});
  CHECK_FALSE(has(said.out + said.err, "\x1b"));
}

TEST_CASE("what is not a request is refused") {
  const Desk desk;
  for (const char* url : {"", "a.example", "ftp://a.example/", "https://", "https://u@a.example/",
                          "https://a.example:0/", "https://a.example:x/"}) {
    const Said said = desk.run({"check", url});
    CHECK(said.code == 1);
    CHECK(said.err.starts_with("leashctl: "));
  }
}

TEST_CASE("without files nothing is allowed") {
  const Desk desk;
  CHECK(desk.run({"check", "https://a.example/"}).code == 1);
}

}  // namespace leash::ctl
