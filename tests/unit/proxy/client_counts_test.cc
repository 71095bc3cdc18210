#include "proxy/client_counts.h"

#include <doctest/doctest.h>

namespace leash::proxy {
namespace {

TEST_CASE("places are limited in all and for each client, and come back") {
  using Answer = ClientCounts::Answer;
  ClientCounts counts({3, 2, 1024, 1024});
  const std::string one = "10.0.0.1";
  const std::string two = "unix:1000";
  auto first = counts.enter(one);
  auto second = counts.enter(one);
  CHECK(first.answer == Answer::kTaken);
  CHECK(second.answer == Answer::kTaken);
  CHECK(counts.enter(one).answer == Answer::kClientFull);
  auto third = counts.enter(two);
  CHECK(third.answer == Answer::kTaken);
  CHECK(counts.enter(two).answer == Answer::kFull);
  const auto also = first.seat;  // a place is taken as long as anybody holds it
  first.seat.reset();
  CHECK(counts.enter(two).answer == Answer::kFull);
  second.seat.reset();
  third.seat.reset();
  CHECK(counts.enter(one).answer == Answer::kTaken);
}

TEST_CASE("the connections of one client share one account") {
  ClientCounts counts({10, 10, 1024, 1024});
  const auto first = counts.enter("10.0.0.1");
  const auto second = counts.enter("10.0.0.1");
  const auto other = counts.enter("10.0.0.2");
  CHECK(first.memory == second.memory);
  CHECK(first.memory != other.memory);
}

TEST_CASE("an account knows how near its limit is, and gets back what was held") {
  using Level = ClientMemory::Level;
  audit::CaptureBudget captures(1024);
  const auto memory = std::make_shared<ClientMemory>(std::size_t{64} * 1024, captures, 1024);
  {
    MemoryShare share(memory);
    MemoryShare other(memory);
    other.set(1024);
    CHECK(memory->level() == Level::kRelaxed);
    CHECK(memory->mark(100'000) == 100'000);
    share.set(31 * 1024);
    CHECK(memory->level() == Level::kTight);
    CHECK(memory->mark(100'000) == ClientMemory::kTightBytes);
    CHECK(memory->mark(4096) == 4096);
    share.set(47 * 1024);
    CHECK(memory->level() == Level::kFull);
    share.set(63 * 1024);
    CHECK(memory->level() == Level::kOver);
    share.set(2 * 1024);
    CHECK(memory->level() == Level::kRelaxed);
    CHECK(memory->used_bytes() == 3 * 1024);
  }
  CHECK(memory->used_bytes() == 0);
}

}  // namespace
}  // namespace leash::proxy
