#include "console/sign_in_limits.h"

#include <doctest/doctest.h>

#include "console/sessions.h"

namespace leash::console {

using namespace std::chrono_literals;

TEST_CASE("the fifth wrong try locks for a minute, and another address not at all") {
  SignInLimits limits;
  SignInLimits::Time now{};
  for (int i = 0; i < 4; ++i) limits.wrong("192.0.2.1", now);
  CHECK(limits.wait_of("192.0.2.1", now) == 0s);
  limits.wrong("192.0.2.1", now);
  CHECK(limits.wait_of("192.0.2.1", now) == 60s);
  CHECK(limits.wait_of("192.0.2.2", now) == 0s);
  CHECK(limits.wait_of("192.0.2.1", now + 59s) == 1s);
  CHECK(limits.wait_of("192.0.2.1", now + 60s) == 0s);
  limits.wrong("192.0.2.1", now + 61s);
  CHECK(limits.wait_of("192.0.2.1", now + 61s) == 0s);
}

TEST_CASE("a right token makes wrong ones forgotten") {
  SignInLimits limits;
  const SignInLimits::Time now{};
  for (int i = 0; i < 4; ++i) limits.wrong("192.0.2.1", now);
  limits.right("192.0.2.1");
  limits.wrong("192.0.2.1", now);
  CHECK(limits.wait_of("192.0.2.1", now) == 0s);
}

TEST_CASE("an IPv6 client counts by its /64") {
  SignInLimits limits;
  const SignInLimits::Time now{};
  for (int i = 1; i <= 5; ++i) limits.wrong("2001:db8:1:2::" + std::to_string(i), now);
  CHECK(limits.wait_of("2001:db8:1:2:ffff::1", now) == 60s);
  CHECK(limits.wait_of("2001:db8:1:3::1", now) == 0s);
}

TEST_CASE("any number of addresses takes a bounded memory, and locks stay") {
  SignInLimits limits;
  const SignInLimits::Time start{};
  for (int i = 0; i < 5; ++i) limits.wrong("192.0.2.1", start + 10s);
  for (int i = 0; i < 9'000; ++i) limits.wrong("10.1." + std::to_string(i), start);
  for (int i = 0; i < 900; ++i) limits.wrong("10.2." + std::to_string(i), start);
  CHECK(limits.wait_of("192.0.2.1", start + 10s) == 60s);
}

TEST_CASE("a session ends by itself, by sign-out, and where there are too many") {
  Sessions sessions;
  const Sessions::Time now{};
  const auto first = sessions.open(Role::kOperator, now);
  const auto second = sessions.open(Role::kViewer, now);
  CHECK(first.id != second.id);
  CHECK(first.session.csrf != second.session.csrf);
  REQUIRE(sessions.find(first.id, now + 11h).has_value());
  CHECK(sessions.find(first.id, now + 11h)->role == Role::kOperator);
  CHECK(sessions.find(first.id, now + 22h).has_value());
  CHECK_FALSE(sessions.find(second.id, now + 12h).has_value());
  sessions.close(first.id);
  CHECK_FALSE(sessions.find(first.id, now + 22h).has_value());
  const auto oldest = sessions.open(Role::kViewer, now);
  for (std::size_t i = 0; i < Sessions::kMost; ++i) {
    static_cast<void>(sessions.open(Role::kViewer, now + 1h));
  }
  CHECK_FALSE(sessions.find(oldest.id, now + 1h).has_value());
  CHECK_FALSE(sessions.find("", now).has_value());
}

}  // namespace leash::console
