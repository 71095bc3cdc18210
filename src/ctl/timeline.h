// Requests over time, in as many columns as fit a page, whatever the time between them.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "insight/moment.h"

namespace leash::ctl {

// How requests ended. `passed` holds those that enforce would have refused too, in `would_block`
// alone.
struct Verdicts {
  std::uint64_t passed = 0;
  std::uint64_t would_block = 0;
  std::uint64_t refused = 0;
  std::uint64_t errors = 0;

  [[nodiscard]] std::uint64_t all() const { return passed + would_block + refused + errors; }
  void add(const Verdicts& other);
};

class Timeline {
 public:
  static constexpr std::size_t kMostColumns = 96;

  void add(insight::Moment time, const Verdicts& verdicts);

  struct Columns {
    insight::Moment begin{};  // of the first
    std::chrono::seconds width{0};
    std::vector<Verdicts> columns;  // at most kMostColumns; none where nothing was added
  };
  [[nodiscard]] Columns columns() const;

 private:
  void widen();

  std::size_t step_ = 0;                      // which width
  std::map<std::int64_t, Verdicts> columns_;  // by time divided by the width
};

}  // namespace leash::ctl
