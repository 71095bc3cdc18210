#include "ctl/timeline.h"

#include <algorithm>
#include <array>

namespace leash::ctl {
namespace {

constexpr std::int64_t kDay = 86'400;
// Widths that people think in, each a multiple of the one before it so that columns can be merged;
// past the last one they double.
constexpr std::array<std::int64_t, 11> kWidths = {1,     5,     15,        60,         300, 900,
                                                  1'800, 3'600, 6 * 3'600, 12 * 3'600, kDay};

std::int64_t width_at(std::size_t step) {
  if (step < kWidths.size()) return kWidths[step];
  return kDay << std::min<std::size_t>(step - kWidths.size() + 1, 40);
}

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

}  // namespace

void Verdicts::add(const Verdicts& other) {
  passed += other.passed;
  would_block += other.would_block;
  refused += other.refused;
  errors += other.errors;
}

void Timeline::add(insight::Moment time, const Verdicts& verdicts) {
  const std::int64_t second =
      std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  columns_[floor_div(second, width_at(step_))].add(verdicts);
  while (columns_.rbegin()->first - columns_.begin()->first >=
         static_cast<std::int64_t>(kMostColumns)) {
    widen();
  }
}

void Timeline::widen() {
  const std::int64_t old_width = width_at(step_);
  ++step_;
  std::map<std::int64_t, Verdicts> merged;
  for (const auto& [column, verdicts] : columns_) {
    merged[floor_div(column * old_width, width_at(step_))].add(verdicts);
  }
  columns_ = std::move(merged);
}

Timeline::Columns Timeline::columns() const {
  Columns out;
  if (columns_.empty()) return out;
  const std::int64_t first = columns_.begin()->first;
  out.width = std::chrono::seconds(width_at(step_));
  out.begin = insight::moment_of(static_cast<double>(first * width_at(step_)));
  out.columns.resize(static_cast<std::size_t>(columns_.rbegin()->first - first) + 1);
  for (const auto& [column, verdicts] : columns_) {
    out.columns[static_cast<std::size_t>(column - first)] = verdicts;
  }
  return out;
}

}  // namespace leash::ctl
