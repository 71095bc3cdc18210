#include "proxy/gates/names.h"

#include <doctest/doctest.h>

namespace leash::proxy {
namespace {

struct Asked {
  Context context;
  Tunnel tunnel;

  explicit Asked(policy::Mode mode, const char* host, std::uint16_t port = 0) {
    tunnel.target = {*base::Host::parse("allow.test"), 443};
    context.tunnel = &tunnel;
    context.scheme = "https";
    context.authority = tunnel.target;
    context.head.host = base::Authority{*base::Host::parse(host), port};
    auto snapshot = std::make_shared<policy::Snapshot>();
    snapshot->mode = mode;
    context.snapshot = snapshot;
  }

  std::optional<Refusal> ask() {
    std::optional<Refusal> answer = Refusal{.reason = "not answered"};
    NamesGate gate;
    const auto held =
        gate.check(context, [&](std::optional<Refusal> refusal) { answer = std::move(refusal); });
    CHECK(held == nullptr);
    return answer;
  }
};

TEST_CASE("a Host that is the CONNECT target passes, with and without its port") {
  CHECK_FALSE(Asked(policy::Mode::kEnforce, "allow.test").ask());
  CHECK_FALSE(Asked(policy::Mode::kEnforce, "allow.test", 443).ask());
  CHECK_FALSE(Asked(policy::Mode::kEnforce, "ALLOW.test.", 443).ask());
}

TEST_CASE("another Host is refused in enforce and blocklist") {
  for (const auto mode : {policy::Mode::kEnforce, policy::Mode::kBlocklist}) {
    const auto refusal = Asked(mode, "deny.test").ask();
    REQUIRE(refusal);
    CHECK(refusal->status == 421);
    CHECK(refusal->reason == "name_mismatch");
    CHECK(refusal->must_close);
  }
}

TEST_CASE("another port in Host is another authority") {
  CHECK(Asked(policy::Mode::kEnforce, "allow.test", 8443).ask());
}

TEST_CASE("audit mode lets another Host pass and tags it") {
  Asked asked(policy::Mode::kAudit, "deny.test");
  CHECK_FALSE(asked.ask());
  CHECK(asked.context.names == "mismatch: host deny.test:443");
}

TEST_CASE("an SNI mismatch that audit mode let pass is in the lines of the requests inside") {
  Asked asked(policy::Mode::kAudit, "allow.test");
  asked.tunnel.names = "mismatch: sni deny.test";
  CHECK_FALSE(asked.ask());
  CHECK(asked.context.names == "mismatch: sni deny.test");
}

}  // namespace
}  // namespace leash::proxy
