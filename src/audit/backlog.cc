#include "audit/backlog.h"

#include <chrono>
#include <utility>

#include "audit/json_text.h"
#include "audit/record.h"

namespace leash::audit {

std::string gap_line(std::uint64_t first, std::uint64_t last) {
  std::string out = "{\"ts\": ";
  append_double(out, unix_seconds(std::chrono::system_clock::now()));
  out.append(", \"event\": \"gap\"");
  append_key(out, "first");
  append_number(out, first);
  append_key(out, "last");
  append_number(out, last);
  append_key(out, "lines");
  append_number(out, last - first + 1);
  out.append("}\n");
  return out;
}

std::uint64_t Backlog::offer(const SharedBatch& batch) {
  std::uint64_t lost = 0;
  if (next_ != 0 && batch->first > next_) {
    if (!is_in_gap_) gap_first_ = next_;
    is_in_gap_ = true;
    gap_last_ = batch->first - 1;
    lost = batch->first - next_;
  }
  next_ = batch->last + 1;
  close_gap_if_room();
  if (!is_in_gap_ && bytes_ < limit_bytes_) {
    batches_.push_back(batch);
    bytes_ += batch->text.size();
    return lost;
  }
  if (!is_in_gap_) gap_first_ = batch->first;
  is_in_gap_ = true;
  gap_last_ = batch->last;
  return lost + (batch->last - batch->first + 1);
}

std::string_view Backlog::front() const {
  return std::string_view(batches_.front()->text).substr(taken_);
}

void Backlog::consume(std::size_t bytes) {
  taken_ += bytes;
  if (taken_ < batches_.front()->text.size()) return;
  bytes_ -= batches_.front()->text.size();
  taken_ = 0;
  batches_.pop_front();
  close_gap_if_room();
}

void Backlog::close_gap_if_room() {
  if (!is_in_gap_ || bytes_ > limit_bytes_ / 2) return;
  is_in_gap_ = false;
  auto marker = std::make_shared<LineBatch>(
      LineBatch{gap_first_, gap_last_, gap_line(gap_first_, gap_last_)});
  bytes_ += marker->text.size();
  batches_.push_back(std::move(marker));
}

}  // namespace leash::audit
