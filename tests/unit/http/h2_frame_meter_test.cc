#include "http/h2_frame_meter.h"

#include <doctest/doctest.h>

#include "h2_support.h"

using namespace leash::http;
using namespace leash::http::test;

TEST_CASE("a token bucket gives its burst, then its rate") {
  TokenBucket bucket(2, 3);
  auto now = kStart;
  for (int i = 0; i < 3; ++i) CHECK(bucket.take(now));
  CHECK_FALSE(bucket.take(now));
  now += std::chrono::milliseconds(500);
  CHECK(bucket.take(now));
  CHECK_FALSE(bucket.take(now));
  now += std::chrono::hours(1);
  for (int i = 0; i < 3; ++i) CHECK(bucket.take(now));
  CHECK_FALSE(bucket.take(now));
  // Time that runs backwards gives nothing.
  CHECK_FALSE(bucket.take(kStart));
  CHECK_FALSE(bucket.take(now));
}

TEST_CASE("the meter names the byte before which the limit bit") {
  FrameMeter meter(FrameMeter::Preface::kNone, FrameMeter::Resets::kAll,
                   leash::base::Fault::kOrigin, 2);
  const std::string bytes = rst(1) + rst(3) + rst(5) + rst(7);
  const std::size_t n = meter.take(bytes, kStart);
  CHECK(n < bytes.size());
  CHECK(n >= 2 * rst(1).size());
  REQUIRE(meter.breach());
  CHECK(meter.breach()->text() == "http2_flood: stream resets");
  CHECK(meter.breach()->fault == leash::base::Fault::kOrigin);
}

TEST_CASE("the meter skips the preface and payloads, in any split") {
  FrameMeter meter(FrameMeter::Preface::kExpected, FrameMeter::Resets::kAll,
                   leash::base::Fault::kClient, 1);
  // A payload that looks like RST_STREAM frames.
  const std::string bytes = hello() + data(1, rst(1) + rst(1) + rst(1)) + rst(1);
  for (const char c : bytes) CHECK(meter.take({&c, 1}, kStart) == 1);
  CHECK_FALSE(meter.breach());
}
