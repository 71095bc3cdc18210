#include "net/loop.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "support/run_until.h"

using namespace std::chrono_literals;
using leash::net::Deferred;
using leash::net::Loop;
using leash::net::ReadWatch;
using leash::net::Timer;
using leash::test::run_until;

namespace {

struct Grave {
  explicit Grave(bool& the_flag) : flag(the_flag) {}
  Grave(const Grave&) = delete;
  Grave& operator=(const Grave&) = delete;
  ~Grave() { flag = true; }
  bool& flag;
};

}  // namespace

TEST_CASE("tasks posted by other threads run in the order of each thread, all of them") {
  Loop loop;
  std::vector<int> seen[2];
  std::atomic<int> done{0};
  const auto poster = [&](int which) {
    for (int i = 0; i < 1000; ++i) {
      loop.post([&seen, which, i] { seen[which].push_back(i); });
    }
    loop.post([&] {
      if (++done == 2) loop.stop();
    });
  };
  std::thread a(poster, 0);
  std::thread b(poster, 1);
  loop.run();
  a.join();
  b.join();
  for (const auto& numbers : seen) {
    REQUIRE(numbers.size() == 1000);
    for (int i = 0; i < 1000; ++i) CHECK(numbers[static_cast<std::size_t>(i)] == i);
  }
}

TEST_CASE("a loop that is stopped before it runs returns at once, and runs again afterwards") {
  Loop loop;
  loop.stop();
  loop.run();
  int count = 0;
  loop.post([&] {
    ++count;
    loop.stop();
  });
  loop.run();
  CHECK(count == 1);
}

TEST_CASE("tasks posted before stop() still run") {
  Loop loop;
  bool ran = false;
  loop.post([&] { ran = true; });
  loop.stop();
  loop.run();
  CHECK(ran);
}

TEST_CASE("a deferred task runs after the callback that deferred it") {
  Loop loop;
  std::string order;
  loop.post([&] {
    loop.defer([&] { order += "b"; });
    order += "a";
  });
  CHECK(run_until(loop, [&] { return order == "ab"; }));
}

TEST_CASE("a deferred task of an object that has gone does not run") {
  Loop loop;
  std::string order;
  auto last = std::make_unique<Deferred>(loop, [&] { order += "c"; });
  auto first = std::make_unique<Deferred>(loop, [&] {
    order += "a";
    last.reset();
  });
  auto gone = std::make_unique<Deferred>(loop, [&] { order += "b"; });
  loop.post([&] {
    first->schedule();
    first->schedule();
    gone->schedule();
    last->schedule();
    gone.reset();
    loop.defer([&] { order += "d"; });
  });
  CHECK(run_until(loop, [&] { return !order.empty() && order.back() == 'd'; }));
  CHECK(order == "ad");
  loop.post([&] { first->schedule(); });
  CHECK(run_until(loop, [&] { return order == "ada"; }));
}

TEST_CASE("a task that defers itself for ever does not starve descriptors") {
  Loop loop;
  bool posted = false;
  std::function<void()> again = [&] {
    if (!posted) loop.defer(again);
  };
  loop.defer(again);
  loop.turn();
  loop.post([&] { posted = true; });
  CHECK(run_until(loop, [&] { return posted; }));
}

TEST_CASE(
    "the buried live until the callback has returned, and what was deferred before sees them") {
  Loop loop;
  bool is_gone = false;
  bool was_gone_in_callback = true;
  bool was_gone_in_task = true;
  auto object = std::make_unique<Grave>(is_gone);
  loop.post([&] {
    loop.defer([&] { was_gone_in_task = is_gone; });
    loop.bury(std::move(object));
    was_gone_in_callback = is_gone;
  });
  CHECK(run_until(loop, [&] { return is_gone; }));
  CHECK_FALSE(was_gone_in_callback);
  CHECK_FALSE(was_gone_in_task);
}

TEST_CASE("a loop that ends destroys what is buried, kept or waits in a task") {
  bool buried = false;
  bool kept = false;
  bool captured = false;
  {
    Loop loop;
    loop.bury(std::make_unique<Grave>(buried));
    loop.keep(std::make_unique<Grave>(kept));
    loop.post([grave = std::make_shared<Grave>(captured)] {});
  }
  CHECK(buried);
  CHECK(kept);
  CHECK(captured);
}

TEST_CASE("what is kept goes after release") {
  Loop loop;
  bool is_gone = false;
  auto object = std::make_unique<Grave>(is_gone);
  const void* key = object.get();
  loop.keep(std::move(object));
  loop.release(key);
  CHECK_FALSE(is_gone);
  loop.turn();
  CHECK(is_gone);
  loop.release(key);  // unknown by now: nothing happens
}

TEST_CASE("a timer fires once and never early, also when it was moved") {
  Loop loop;
  int fired = 0;
  Timer timer(loop, [&] { ++fired; });
  CHECK_FALSE(timer.is_running());
  const auto begin = loop.now();
  timer.start(5ms);
  timer.start(30ms);  // later
  CHECK(timer.is_running());
  CHECK(run_until(loop, [&] { return fired > 0; }));
  CHECK(loop.now() - begin >= 30ms);
  CHECK_FALSE(timer.is_running());

  timer.start(1h);
  timer.start(0ms);  // earlier
  CHECK(run_until(loop, [&] { return fired == 2; }));
}

TEST_CASE("a stopped timer does not fire, and may start itself") {
  Loop loop;
  bool other = false;
  int fired = 0;
  Timer stopped(loop, [&] { other = true; });
  stopped.start(0ms);
  stopped.stop();
  CHECK_FALSE(stopped.is_running());
  std::unique_ptr<Timer> again;
  again = std::make_unique<Timer>(loop, [&] {
    if (++fired < 3) again->start(1ms);
  });
  again->start(0ms);
  CHECK(run_until(loop, [&] { return fired == 3; }));
  CHECK_FALSE(other);
}

TEST_CASE("a timer that is stopped while it waits for the rest of its time stays silent") {
  Loop loop;
  bool fired = false;
  bool was_late = false;  // this thread stood still until both were due
  bool end = false;
  Timer timer(loop, [&] { fired = true; });
  Timer stopper(loop, [&] {
    was_late = fired;
    timer.stop();
  });
  Timer ender(loop, [&] { end = true; });
  for (int i = 0; i == 0 || (was_late && i < 20); ++i) {
    fired = end = false;
    timer.start(1ms);
    timer.start(40ms);
    stopper.start(15ms);
    ender.start(60ms);
    CHECK(run_until(loop, [&] { return end; }));
  }
  CHECK_FALSE(fired);
}

TEST_CASE("a read watch calls while there is something to read") {
  Loop loop;
  int pair[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
  const leash::base::Fd a(pair[0]);
  const leash::base::Fd b(pair[1]);
  int calls = 0;
  {
    const ReadWatch watch(loop, a.get(), [&] { ++calls; });
    REQUIRE(::send(b.get(), "x", 1, MSG_NOSIGNAL) == 1);
    CHECK(run_until(loop, [&] { return calls >= 2; }));
  }
  const int before = calls;
  bool end = false;
  Timer timer(loop, [&] { end = true; });
  timer.start(0ms);
  CHECK(run_until(loop, [&] { return end; }));
  CHECK(calls == before);
}
