#include "control/spare_memory.h"

#include <doctest/doctest.h>

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "support/run_until.h"

#ifndef LEASH_SANITIZED  // which has an allocator of its own

using namespace std::chrono_literals;
using leash::control::SpareMemory;
using leash::net::Loop;
using leash::test::run_until;

namespace {

std::size_t resident_mib() {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("RssAnon:")) return std::stoul(line.substr(8)) / 1024;
  }
  return 0;
}

using Blocks = std::vector<std::string>;

// Small ones, and the last one stays: nothing below it is at an end that glibc gives back by
// itself.
struct Burst {
  explicit Burst(std::size_t mib) {
    blocks.reserve(mib * 1024);
    for (std::size_t i = 0; i < mib * 1024; ++i) blocks.emplace_back(1000, 'x');
  }
  std::string end() {
    std::string last = std::move(blocks.back());
    blocks = {};
    return last;
  }
  Blocks blocks;
};

void pass(Loop& loop, std::chrono::milliseconds time) {
  bool is_over = false;
  leash::net::Timer timer(loop, [&] { is_over = true; });
  timer.start(time);
  CHECK(run_until(loop, [&] { return is_over; }));
}

}  // namespace

TEST_CASE("what a burst has left behind is given back, also what the next one has") {
  Loop loop;
  const SpareMemory spare(loop, 5ms);
  Blocks kept;
  for (const std::size_t mib : {96U, 64U, 40U}) {
    Burst burst(mib);
    const std::size_t before = resident_mib();
    REQUIRE(before > mib);
    pass(loop, 50ms);  // looks while it is there
    kept.push_back(burst.end());
    CHECK(run_until(loop, [&] { return resident_mib() + mib - 24 < before; }));
  }
}

TEST_CASE("another thread's burst is given back as well") {
  Loop loop;
  const SpareMemory spare(loop, 5ms);
  std::string kept;
  std::size_t before = 0;
  std::thread([&] {
    Burst burst(48);
    before = resident_mib();
    kept = burst.end();
  }).join();
  CHECK(run_until(loop, [&] { return resident_mib() + 24 < before; }));
}

#endif
