#include <doctest/doctest.h>

#include "unit/ctl/desk.h"

namespace leash::ctl {

TEST_CASE("an entry is added with its comments around it kept, checked and removed again") {
  const Desk desk;
  desk.write(desk.policy("enforce.yaml"), "# ours\nallow:\n  - host: a.example  # first\n");
  const Said added = desk.run({"allow", "B.example", "--port", "443", "--port", "8443", "--method",
                               "GET", "--prefix", "/v1/", "--reason", "tests"});
  CHECK(added.code == 0);
  CHECK_FALSE(added.out.empty());
  const std::string text = desk.read(desk.policy("enforce.yaml"));
  CHECK(has(text, "# ours"));
  CHECK(has(text, "# first"));
  CHECK(has(text, "tests"));
  CHECK(desk.run({"check", "https://b.example:8443/v1/x"}).code == 0);
  CHECK(desk.run({"check", "https://b.example/v2/x"}).code == 1);
  CHECK(desk.run({"remove", "b.example"}).code == 0);
  CHECK(desk.run({"check", "https://b.example:8443/v1/x"}).code == 1);
  CHECK(desk.run({"check", "https://a.example/"}).code == 0);
}

TEST_CASE("block writes to the blocklist") {
  const Desk desk;
  desk.write(desk.policy("blocklist.yaml"), "block: []\n");
  desk.write(desk.policy("mode"), "blocklist\n");
  CHECK(desk.run({"block", "bad.example"}).code == 0);
  CHECK(desk.run({"check", "https://bad.example/"}).code == 1);
  CHECK(desk.run({"check", "http://bad.example/"}).code == 1);
  CHECK(desk.run({"check", "https://good.example/"}).code == 0);
}

TEST_CASE("an expiry may be a span from now") {
  Desk desk;
  // An expiry that has passed by the machine's own clock is refused.
  desk.now = *insight::parse_moment("2126-11-29T12:00:00Z", insight::Moment{});
  desk.write(desk.policy("enforce.yaml"), "allow: []\n");
  CHECK(desk.run({"allow", "a.example", "--expires", "2h"}).code == 0);
  CHECK(has(desk.read(desk.policy("enforce.yaml")), "2126-11-29T14:00:00Z"));
}

TEST_CASE("a bad host, date or prefix is refused and the file stays") {
  const Desk desk;
  desk.write(desk.policy("enforce.yaml"), "allow: []\n");
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"allow", "a b"},
                                             {"allow", "https://a.example/"},
                                             {"allow", "a.example", "--expires", "soon"},
                                             {"allow", "a.example", "--prefix", "v1"},
                                             {"allow", "a.example\n  - host: evil.example"}}) {
    const Said said = desk.run(words);
    CHECK(said.code == 1);
    CHECK(said.err.starts_with("leashctl: "));
    CHECK(desk.read(desk.policy("enforce.yaml")) == "allow: []\n");
  }
  CHECK(desk.run({"allow", "a.example", "--port", "0"}).code == 2);
  CHECK(desk.run({"allow", "a.example", "--port", "70000"}).code == 2);
  CHECK(desk.run({"allow"}).code == 2);
}

TEST_CASE("remove finds the list by itself, and asks where both have the host") {
  const Desk desk;
  desk.write(desk.policy("enforce.yaml"), "allow:\n  - host: a.example\n");
  desk.write(desk.policy("blocklist.yaml"), "block:\n  - a.example\n  - b.example\n");
  CHECK(desk.run({"remove", "b.example"}).code == 0);
  const Said both = desk.run({"remove", "a.example"});
  CHECK(both.code == 1);
  CHECK(has(both.err, "--from enforce or --from blocklist"));
  CHECK(desk.run({"remove", "a.example", "--from", "blocklist"}).code == 0);
  CHECK(desk.run({"remove", "a.example"}).code == 0);
  const Said none = desk.run({"remove", "a.example"});
  CHECK(none.code == 1);
  CHECK(has(none.err, "in neither list"));
}

TEST_CASE("a public suffix is added with a warning") {
  const Desk desk;
  desk.write(desk.policy("enforce.yaml"), "allow: []\n");
  const Said said = desk.run({"allow", "*.github.io"});
  CHECK(said.code == 0);
  CHECK(has(said.err, "shared hosting domain"));
}

}  // namespace leash::ctl
