#include "policy/expiry_clock.h"

#include <doctest/doctest.h>

#include "unit/policy/policy_builder.h"

using namespace std::chrono_literals;

namespace leash::policy {
namespace {

Entry expiring(std::string_view name, ExpiryClock::Time expires) {
  Entry made = entry(name);
  made.expires = expires;
  return made;
}

std::shared_ptr<const Snapshot> shared(Snapshot made) {
  return std::make_shared<const Snapshot>(std::move(made));
}

TEST_CASE("each expiry strikes once, in either file") {
  const auto policy =
      shared(snapshot(Mode::kBlocklist, {expiring("a.test", kNow + 10s), entry("b.test")},
                      {expiring("c.test", kNow + 20s), expiring("old.test", kNow - 1s)}));
  ExpiryClock clock(kNow);
  CHECK_FALSE(clock.has_struck(policy, kNow));
  CHECK_FALSE(clock.has_struck(policy, kNow + 9s));
  CHECK(clock.has_struck(policy, kNow + 10s));  // at `expires` it does not exist any more
  CHECK_FALSE(clock.has_struck(policy, kNow + 10s));
  CHECK_FALSE(clock.has_struck(policy, kNow + 19s));
  CHECK(clock.has_struck(policy, kNow + 25s));
  CHECK_FALSE(clock.has_struck(policy, kNow + 1000h));
}

TEST_CASE("what expires between the last look at one snapshot and the first at the next strikes") {
  ExpiryClock clock(kNow);
  CHECK_FALSE(clock.has_struck(shared(snapshot(Mode::kEnforce, {})), kNow));
  const auto next = shared(snapshot(Mode::kEnforce, {expiring("a.test", kNow + 1s)}));
  CHECK(clock.has_struck(next, kNow + 2s));
  CHECK_FALSE(clock.has_struck(next, kNow + 3s));
}

TEST_CASE("an entry that exists again since the clock was set back expires again") {
  const auto policy = shared(snapshot(Mode::kEnforce, {expiring("a.test", kNow + 10s)}));
  ExpiryClock clock(kNow);
  CHECK(clock.has_struck(policy, kNow + 1h));
  CHECK_FALSE(clock.has_struck(policy, kNow));
  CHECK(clock.has_struck(policy, kNow + 10s));
}

TEST_CASE("a policy without entries, even without maps, never strikes") {
  ExpiryClock clock(kNow);
  CHECK_FALSE(clock.has_struck(shared(Snapshot{}), kNow + 1h));
  CHECK_FALSE(clock.has_struck(nullptr, kNow + 2h));
}

}  // namespace
}  // namespace leash::policy
