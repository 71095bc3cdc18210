#include "proxy/client_counts.h"

#include <doctest/doctest.h>

namespace leash::proxy {
namespace {

TEST_CASE("places are limited in all and for each client, and come back") {
  ClientCounts counts(3, 2);
  const auto one = base::IpAddress::v4(0x0a000001);
  const auto two = base::IpAddress::v4(0x0a000002);
  CHECK(counts.enter(one) == ClientCounts::Answer::kTaken);
  CHECK(counts.enter(one) == ClientCounts::Answer::kTaken);
  CHECK(counts.enter(one) == ClientCounts::Answer::kClientFull);
  CHECK(counts.enter(two) == ClientCounts::Answer::kTaken);
  CHECK(counts.enter(two) == ClientCounts::Answer::kFull);
  counts.leave(one);
  CHECK(counts.enter(two) == ClientCounts::Answer::kTaken);
  counts.leave(two);
  CHECK(counts.enter(one) == ClientCounts::Answer::kTaken);
}

TEST_CASE("leaving without a place changes nothing") {
  ClientCounts counts(1, 1);
  counts.leave(base::IpAddress::v4(1));
  CHECK(counts.enter(base::IpAddress::v4(1)) == ClientCounts::Answer::kTaken);
  CHECK(counts.enter(base::IpAddress::v4(2)) == ClientCounts::Answer::kFull);
}

}  // namespace
}  // namespace leash::proxy
