#include "net/signal_watch.h"

#include <doctest/doctest.h>

#include <csignal>

#include "support/run_until.h"

TEST_CASE("a signal calls on the loop, each watch its own") {
  leash::net::Loop loop;
  int one = 0;
  int two = 0;
  const leash::net::SignalWatch first(loop, SIGUSR1, [&] { ++one; });
  const leash::net::SignalWatch second(loop, SIGUSR2, [&] { ++two; });
  ::raise(SIGUSR1);
  CHECK(one == 0);
  CHECK(leash::test::run_until(loop, [&] { return one == 1; }));
  ::raise(SIGUSR2);
  CHECK(leash::test::run_until(loop, [&] { return two == 1; }));
  CHECK(one == 1);
}
