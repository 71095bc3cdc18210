// The lines that wait for one reader: bounded, and what had no room is told in its place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>

#include "audit/sink.h"

namespace leash::audit {

// A reader that takes its lines too slowly misses some: while there are `limit` bytes or more,
// lines are left out, until half of them has gone. In their place stands one line
//   {"ts": 1795940360.9, "event": "gap", "first": 17, "last": 25, "lines": 9}
// with the seq of the first and the last that were left out. It is in no file and has no chain.
class Backlog {
 public:
  explicit Backlog(std::size_t limit_bytes) : limit_bytes_(limit_bytes) {}

  // Batches in their order; seqs that are missing between two count as left out. Holds `limit`
  // bytes and one batch at most. Returns how many lines are known to be left out since the last
  // call.
  std::uint64_t offer(const SharedBatch& batch);

  [[nodiscard]] bool is_empty() const { return batches_.empty(); }
  // What is to be handed on next: ends with a line's end. Not with `is_empty`.
  [[nodiscard]] std::string_view front() const;
  // So many bytes of `front` were taken.
  void consume(std::size_t bytes);

 private:
  void close_gap_if_room();

  std::size_t limit_bytes_;
  std::deque<SharedBatch> batches_;
  std::size_t taken_ = 0;  // of the first batch
  std::size_t bytes_ = 0;
  std::uint64_t next_ = 0;  // the seq to come; 0: any
  std::uint64_t gap_first_ = 0;
  std::uint64_t gap_last_ = 0;
  bool is_in_gap_ = false;
};

// The line that stands for those that were left out, with its end.
[[nodiscard]] std::string gap_line(std::uint64_t first, std::uint64_t last);

}  // namespace leash::audit
