#include "ctl/timeline.h"

#include <doctest/doctest.h>

#include <random>

namespace leash::ctl {
namespace {

const insight::Moment kBegin = *insight::parse_moment("2026-01-01T00:00:00Z", insight::Moment{});

Verdicts passed() {
  Verdicts verdicts;
  verdicts.passed = 1;
  return verdicts;
}

std::uint64_t sum(const Timeline& timeline) {
  std::uint64_t all = 0;
  for (const Verdicts& verdicts : timeline.columns().columns) all += verdicts.all();
  return all;
}

}  // namespace

TEST_CASE("nothing has no columns") { CHECK(Timeline().columns().columns.empty()); }

TEST_CASE("columns are as narrow as a page allows") {
  Timeline timeline;
  for (int i = 0; i < 96; ++i) timeline.add(kBegin + std::chrono::seconds(i), passed());
  CHECK(timeline.columns().width == std::chrono::seconds(1));
  CHECK(timeline.columns().columns.size() == 96);
  timeline.add(kBegin + std::chrono::seconds(96), passed());
  CHECK(timeline.columns().width == std::chrono::seconds(5));
  CHECK(timeline.columns().columns.size() == 20);
  CHECK(timeline.columns().begin == kBegin);
  timeline.add(kBegin + std::chrono::hours(24 * 30), passed());
  CHECK(timeline.columns().width == std::chrono::hours(12));
  CHECK(sum(timeline) == 98);
}

TEST_CASE(
    "whatever the times, the columns stay few, count each request, and do not depend on order") {
  std::mt19937_64 random(3);
  for (int round = 0; round < 50; ++round) {
    std::vector<insight::Moment> times;
    for (int i = 0; i < 200; ++i) {
      const double spread =
          round % 5 == 0 ? 1e30 : static_cast<double>(std::uint64_t{1} << (round % 40));
      times.push_back(
          insight::moment_of((static_cast<double>(random() % 2'000'000) / 1e6 - 1) * spread));
    }
    Timeline forward;
    for (const insight::Moment time : times) forward.add(time, passed());
    Timeline backward;
    for (auto time = times.rbegin(); time != times.rend(); ++time) backward.add(*time, passed());
    const auto columns = forward.columns();
    CHECK(columns.columns.size() <= Timeline::kMostColumns);
    CHECK(sum(forward) == 200);
    CHECK(backward.columns().width == columns.width);
    CHECK(backward.columns().columns.size() == columns.columns.size());
  }
}

}  // namespace leash::ctl
