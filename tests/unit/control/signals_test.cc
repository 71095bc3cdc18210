#include "control/signals.h"

#include <doctest/doctest.h>

#include <csignal>

#include "support/run_until.h"

TEST_CASE("TERM and INT ask for the end, HUP for a reload, PIPE for nothing") {
  leash::net::Loop loop;
  int terms = 0;
  int hups = 0;
  const leash::control::Signals signals(
      loop, [&] { ++terms; }, [&] { ++hups; });
  ::raise(SIGTERM);
  CHECK(leash::test::run_until(loop, [&] { return terms == 1; }));
  ::raise(SIGINT);
  CHECK(leash::test::run_until(loop, [&] { return terms == 2; }));
  ::raise(SIGHUP);
  CHECK(leash::test::run_until(loop, [&] { return hups == 1; }));
  ::raise(SIGPIPE);
  CHECK(terms == 2);
}
