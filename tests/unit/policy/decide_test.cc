#include "policy/decide.h"

#include <doctest/doctest.h>

#include "unit/policy/policy_builder.h"

namespace leash::policy {
namespace {

using std::chrono::seconds;

TEST_CASE("enforce allows the listed host and port and says which entry did") {
  auto listed = entry("api.example.net", {443, 8443});
  listed.file = "enforce.yaml";
  listed.line = 12;
  listed.reason = "model calls";
  const auto policy = snapshot(Mode::kEnforce, {listed});
  const auto decision = at_connect(policy, "api.example.net", 8443);
  CHECK(decision.is_allowed);
  CHECK(decision.reason == "");
  CHECK(decision.rule == "enforce.yaml:12 api.example.net");
  CHECK(decision.note == "model calls");
  CHECK_FALSE(decision.would_block);
}

TEST_CASE("enforce refuses an unknown host, a wrong port and a lookalike") {
  const auto policy = snapshot(Mode::kEnforce, {entry("github.com", {443})});
  for (const char* name : {"evil.example", "notgithub.com", "github.com.evil.example", "com"}) {
    CHECK(at_connect(policy, name).reason == "not_in_allowlist");
    CHECK(at_connect(policy, name).rule == "");
  }
  CHECK(at_connect(policy, "github.com", 22).reason == "not_in_allowlist");
  CHECK(at_connect(policy, "github.com", 22).rule != "");
  CHECK(at_connect(policy, "a.b.github.com").is_allowed);
}

TEST_CASE("a policy without entries, even without maps, refuses everything") {
  CHECK(at_connect(snapshot(Mode::kEnforce, {}), "a.example").reason == "not_in_allowlist");
  CHECK_FALSE(at_connect(Snapshot{}, "a.example").is_allowed);
}

TEST_CASE("an exact host shadows its parent, also where it does not allow") {
  const auto policy =
      snapshot(Mode::kEnforce, {entry("api.github.com", {443}), entry("github.com", {443, 80})});
  CHECK(at_connect(policy, "api.github.com", 80).reason == "not_in_allowlist");
  CHECK(at_connect(policy, "www.github.com", 80).is_allowed);
}

TEST_CASE("a faulty allow entry allows nothing but still shadows its parent") {
  auto faulty = entry("api.github.com", {443});
  faulty.health = Health::kFaulty;
  const auto policy = snapshot(Mode::kEnforce, {faulty, entry("github.com", {443})});
  CHECK(at_connect(policy, "api.github.com").reason == "not_in_allowlist");
  CHECK(at_connect(policy, "github.com").is_allowed);
}

TEST_CASE("path rules are skipped at CONNECT and decide each request") {
  const auto policy =
      snapshot(Mode::kEnforce, {entry("quay.io", {443}, {{"GET", "/v2/"}, {"", "/health"}})});
  CHECK(at_connect(policy, "quay.io").is_allowed);
  CHECK(at_request(policy, "quay.io", "GET", "/v2/fedora?x=1").is_allowed);
  CHECK(at_request(policy, "quay.io", "get", "/v2/fedora").is_allowed);
  CHECK(at_request(policy, "quay.io", "POST", "/v2/fedora").reason == "path_not_allowed");
  CHECK(at_request(policy, "quay.io", "POST", "/health").is_allowed);
  CHECK(at_request(policy, "quay.io", "GET", "/other").reason == "path_not_allowed");
  CHECK(at_request(policy, "quay.io", "GET", "").reason == "path_not_allowed");
  CHECK(at_request(policy, "quay.io", "OPTIONS", "*").reason == "path_not_allowed");
  CHECK(at_request(policy, "quay.io", "GET", "/v2/../admin").reason == "ambiguous_path");
  CHECK(at_request(policy, "quay.io", "GET", "/v2/%2e%2e/admin").reason == "ambiguous_path");
  CHECK(at_request(policy, "quay.io", "GET", "/%76%32/fedora").reason == "path_not_allowed");
}

TEST_CASE("several entries of one host add up") {
  const auto policy = snapshot(
      Mode::kEnforce, {entry("a.example", {443}, {{"GET", "/x"}}), entry("a.example", {8443}),
                       entry("a.example", {443}, {{"", "/y"}})});
  CHECK(at_request(policy, "a.example", "GET", "/x").is_allowed);
  CHECK(at_request(policy, "a.example", "PUT", "/y").is_allowed);
  CHECK_FALSE(at_request(policy, "a.example", "PUT", "/x").is_allowed);
  CHECK(at_request(policy, "a.example", "PUT", "/any/../thing", 8443).is_allowed);
}

TEST_CASE("an expired entry does not exist") {
  auto old = entry("api.example.net", {443});
  old.expires = kNow;
  auto fresh = entry("example.net", {443});
  fresh.expires = kNow + seconds(1);
  const auto policy = snapshot(Mode::kEnforce, {old, fresh});
  CHECK(at_connect(policy, "api.example.net").rule == rule_of(fresh));
  const auto name = host("api.example.net");
  CHECK_FALSE(decide(policy, {name, 443, {}, {}}, kNow + seconds(1)).is_allowed);
}

TEST_CASE("the blocklist blocks all ports of a bare host and its subdomains") {
  const auto policy = snapshot(Mode::kBlocklist, {}, {entry("paste.example")});
  for (const std::uint16_t port : {std::uint16_t{1}, std::uint16_t{80}, std::uint16_t{65535}}) {
    CHECK(at_connect(policy, "paste.example", port).reason == "in_blocklist");
    CHECK(at_connect(policy, "a.paste.example", port).reason == "in_blocklist");
  }
  CHECK(at_connect(policy, "other.example").is_allowed);
}

TEST_CASE("the blocklist is ignored in enforce and audit") {
  const std::vector<Entry> both{entry("a.example", {443})};
  CHECK(at_connect(snapshot(Mode::kEnforce, both, both), "a.example").is_allowed);
  CHECK(at_connect(snapshot(Mode::kAudit, both, both), "a.example").is_allowed);
  CHECK_FALSE(at_connect(snapshot(Mode::kBlocklist, both, both), "a.example").is_allowed);
}

TEST_CASE("a block entry with path rules blocks the path and lets CONNECT pass") {
  const auto policy =
      snapshot(Mode::kBlocklist, {}, {entry("api.example", {}, {{"POST", "/upload"}})});
  CHECK(at_connect(policy, "api.example").is_allowed);
  CHECK(at_request(policy, "api.example", "GET", "/upload").is_allowed);
  CHECK(at_request(policy, "api.example", "POST", "/upload/x").reason == "in_blocklist");
  CHECK(at_request(policy, "api.example", "POST", "/list").is_allowed);
}

TEST_CASE("a block path rule holds for escapes, doubled slashes and path parameters") {
  const auto policy = snapshot(Mode::kBlocklist, {}, {entry("api.example", {}, {{"", "/upload"}})});
  for (const char* path : {"/%75pload", "/%2575pload", "//upload", "/%2fupload", "/up%6coad?x",
                           "/;/upload", "/;a=1/upload/x", "/upload;a=1/x", "/%3b/upload"}) {
    CHECK_MESSAGE(at_request(policy, "api.example", "GET", path).reason == "in_blocklist", path);
  }
  CHECK(at_request(policy, "api.example", "GET", "/a/../upload").reason == "ambiguous_path");
  for (const char* path : {"/free", "/free;a=1/x", "/free?x=/;/upload", "/UPLOAD"}) {
    CHECK_MESSAGE(at_request(policy, "api.example", "GET", path).is_allowed, path);
  }
}

TEST_CASE("a blocked IPv4 address is blocked in every IPv6 literal that holds it") {
  const auto bare = snapshot(Mode::kBlocklist, {}, {entry("192.0.2.1")});
  for (const char* name :
       {"192.0.2.1", "::ffff:192.0.2.1", "64:ff9b::192.0.2.1", "64:ff9b:1::192.0.2.1",
        "64:ff9b:1:c000:2:100::", "64:ff9b:1:7:c0:2:100:0", "2002:c000:201::1", "::192.0.2.1",
        "::ffff:0:192.0.2.1", "2001:0:c000:201::1", "2001:0:808:808::3fff:fdfe"}) {
    const auto decision = at_connect(bare, name);
    CHECK_MESSAGE(decision.reason == "in_blocklist", name);
    CHECK_MESSAGE(decision.rule.ends_with(" 192.0.2.1"), name);
  }
  for (const char* name : {"192.0.2.2", "64:ff9b::192.0.2.2", "2001:db8::c000:201", "::1"}) {
    CHECK_MESSAGE(at_connect(bare, name).is_allowed, name);
  }
  const auto paths = snapshot(
      Mode::kBlocklist, {},
      {entry("64:ff9b::192.0.2.1", {}, {{"", "/a"}}), entry("192.0.2.1", {}, {{"", "/b"}})});
  CHECK(at_request(paths, "64:ff9b::192.0.2.1", "GET", "/a").reason == "in_blocklist");
  CHECK(at_request(paths, "64:ff9b::192.0.2.1", "GET", "/b").reason == "in_blocklist");
  CHECK(at_request(paths, "64:ff9b::192.0.2.1", "GET", "/c").is_allowed);
  auto list = std::make_shared<HostSet>("lists/ads.txt");
  list->add("192.0.2.1", 7);
  auto listed = snapshot(Mode::kBlocklist, {});
  listed.block_lists.push_back(std::move(list));
  CHECK(at_connect(listed, "64:ff9b::192.0.2.1").rule == "lists/ads.txt:7 192.0.2.1");
}

TEST_CASE("a faulty block entry blocks its whole host, all ports and paths") {
  auto faulty = entry("api.example", {443}, {{"GET", "/x"}});
  faulty.health = Health::kFaulty;
  const auto policy = snapshot(Mode::kBlocklist, {}, {faulty});
  CHECK(at_connect(policy, "api.example", 22).reason == "in_blocklist");
  CHECK(at_request(policy, "sub.api.example", "PUT", "/y").reason == "in_blocklist");
}

TEST_CASE("host lists block like bare entries and name file and line") {
  auto policy = snapshot(Mode::kBlocklist, {}, {entry("x.ads.example", {}, {{"", "/only"}})});
  auto list = std::make_shared<HostSet>("lists/ads.txt");
  list->add("ads.example", 7);
  policy.block_lists.push_back(list);
  const auto decision = at_connect(policy, "deep.ads.example", 8080);
  CHECK(decision.reason == "in_blocklist");
  CHECK(decision.rule == "lists/ads.txt:7 ads.example");
  CHECK_MESSAGE(at_connect(policy, "x.ads.example").is_allowed, "the nearer entry is final");
  policy.mode = Mode::kAudit;
  CHECK(at_connect(policy, "ads.example").is_allowed);
}

TEST_CASE("audit and blocklist tell for requests what enforce would have blocked") {
  for (const Mode mode : {Mode::kAudit, Mode::kBlocklist}) {
    const auto policy = snapshot(mode, {entry("a.example", {443}, {{"GET", "/x"}})});
    CHECK_FALSE(at_connect(policy, "b.example").would_block);
    CHECK(at_request(policy, "b.example", "GET", "/").would_block);
    CHECK(at_request(policy, "b.example", "GET", "/").is_allowed);
    CHECK(at_request(policy, "b.example", "GET", "/").reason == "");
    CHECK(at_request(policy, "a.example", "GET", "/y").would_block);
    CHECK(at_request(policy, "a.example", "GET", "/x", 80).would_block);
    CHECK_FALSE(at_request(policy, "a.example", "GET", "/x").would_block);
    CHECK(at_request(policy, "a.example", "GET", "/x").rule != "");
    CHECK(at_request(policy, "a.example", "GET", "/y").rule == "");
  }
  const auto blocked = snapshot(Mode::kBlocklist, {}, {entry("c.example")});
  CHECK_FALSE(at_request(blocked, "c.example", "GET", "/").would_block);
}

TEST_CASE("networks come from the entries that cover the port, in every mode") {
  auto opened = entry("git.example", {443}, {{"", "/x"}});
  opened.networks.push_back(base::Network::parse("10.20.0.0/16").value());
  for (const Mode mode : {Mode::kEnforce, Mode::kAudit, Mode::kBlocklist}) {
    const auto policy = snapshot(mode, {opened});
    CHECK(at_connect(policy, "git.example").networks.size() == 1);
    CHECK(at_connect(policy, "git.example", 22).networks.empty());
  }
  opened.health = Health::kFaulty;
  CHECK(at_connect(snapshot(Mode::kAudit, {opened}), "git.example").networks.empty());
}

TEST_CASE("an entry that is an IP literal names that very address and no other") {
  const auto policy = snapshot(Mode::kEnforce, {entry("10.0.0.1", {443}), entry("::1", {443})});
  CHECK(at_connect(policy, "10.0.0.1").names_address);
  CHECK(at_connect(policy, "::1").names_address);
  CHECK_FALSE(at_connect(policy, "10.0.0.1", 80).names_address);
  CHECK_FALSE(at_connect(policy, "10.0.0.2").names_address);
  CHECK_FALSE(
      at_connect(snapshot(Mode::kEnforce, {entry("a.example", {443})}), "a.example").names_address);
}

TEST_CASE("splice needs all entries of the port to say so, and no path rule anywhere") {
  auto pinned = entry("pinned.example", {443, 8443});
  pinned.tls = TlsMode::kSplice;
  const auto plain = entry("pinned.example", {8443});
  const auto policy = snapshot(Mode::kEnforce, {pinned, plain});
  CHECK(at_connect(policy, "pinned.example").tls == TlsMode::kSplice);
  CHECK(at_connect(policy, "pinned.example", 8443).tls == TlsMode::kIntercept);
  CHECK(at_connect(policy, "pinned.example", 80).tls == TlsMode::kIntercept);
  const auto with_block =
      snapshot(Mode::kBlocklist, {pinned}, {entry("pinned.example", {443}, {{"", "/upload"}})});
  CHECK(at_connect(with_block, "pinned.example").tls == TlsMode::kIntercept);
  CHECK(at_connect(with_block, "pinned.example", 8443).tls == TlsMode::kSplice);
}

}  // namespace
}  // namespace leash::policy
