#include "policy/snapshot.h"

#include <doctest/doctest.h>

#include "unit/policy/policy_builder.h"

namespace leash::policy {
namespace {

TEST_CASE("mode words are exact") {
  CHECK(parse_mode("enforce") == Mode::kEnforce);
  CHECK(parse_mode("audit") == Mode::kAudit);
  CHECK(parse_mode("blocklist") == Mode::kBlocklist);
  for (const char* wrong : {"", "Audit", "audit ", "audit\n", "enforce audit", "off"}) {
    CHECK_FALSE(parse_mode(wrong).has_value());
  }
  CHECK(word(Mode::kBlocklist) == "blocklist");
}

TEST_CASE("a host is looked up by itself, then by parents of two labels and more") {
  const auto deep = host("a.b.github.com");
  CHECK(lookup_names(deep) ==
        std::vector<std::string_view>{"a.b.github.com", "b.github.com", "github.com"});
  const auto single = host("localhost");
  CHECK(lookup_names(single) == std::vector<std::string_view>{"localhost"});
  const auto two = host("x.localhost");
  CHECK(lookup_names(two) == std::vector<std::string_view>{"x.localhost"});
}

TEST_CASE("an IP literal has no parents") {
  EntryMap map;
  map.add(entry("github.com"));
  const auto literal = host("10.0.0.1");
  CHECK(lookup_names(literal).size() == 1);
  CHECK(map.find(literal, kNow).empty());
}

TEST_CASE("the map counts and returns all entries of the host found") {
  EntryMap map;
  map.add(entry("a.example", {1}));
  map.add(entry("a.example", {2}));
  map.add(entry("b.a.example", {3}));
  CHECK(map.size() == 3);
  CHECK(map.find(host("a.example"), kNow).size() == 2);
  CHECK(map.find(host("b.a.example"), kNow).size() == 1);
  CHECK(map.find(host("c.a.example"), kNow).size() == 2);
  CHECK(map.find(host("d.example"), kNow).empty());
}

TEST_CASE("an entry without ports covers every port") {
  CHECK(entry("a.example").covers_port(1));
  CHECK(entry("a.example", {443}).covers_port(443));
  CHECK_FALSE(entry("a.example", {443}).covers_port(80));
}

}  // namespace
}  // namespace leash::policy
