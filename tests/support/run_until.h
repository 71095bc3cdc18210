// Turns a loop until something has happened, with a limit so that a broken test ends.
#pragma once

#include <chrono>

#include "net/loop.h"

namespace leash::test {

// False when `limit` passes first.
template <class Condition>
bool run_until(net::Loop& loop, Condition condition,
               std::chrono::milliseconds limit = std::chrono::seconds(60)) {
  bool is_late = false;
  net::Timer timer(loop, [&] { is_late = true; });
  timer.start(limit);
  while (!condition()) {
    if (is_late) return false;
    loop.turn();
  }
  return true;
}

}  // namespace leash::test
