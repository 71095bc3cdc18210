#include "audit/capture.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace leash::audit {

bool CaptureBudget::take(std::size_t bytes) {
  const auto wanted = static_cast<std::int64_t>(bytes);
  std::int64_t left = left_.load(std::memory_order_relaxed);
  while (left >= wanted) {
    if (!left_.compare_exchange_weak(left, left - wanted, std::memory_order_relaxed)) continue;
    if (whole_ == nullptr || whole_->take(bytes)) return true;
    left_.fetch_add(wanted, std::memory_order_relaxed);
    return false;
  }
  return false;
}

void CaptureBudget::give(std::size_t bytes) {
  left_.fetch_add(static_cast<std::int64_t>(bytes), std::memory_order_relaxed);
  if (whole_ != nullptr) whole_->give(bytes);
}

Capture::Capture(CaptureBudget& budget, std::size_t limit_bytes)
    : budget_(&budget), limit_(limit_bytes) {}

Capture::Capture(Capture&& other) noexcept
    : budget_(other.budget_),
      limit_(other.limit_),
      bytes_(std::move(other.bytes_)),
      total_(other.total_),
      room_(std::exchange(other.room_, 0)),
      taken_(std::exchange(other.taken_, 0)) {
  other.bytes_.clear();
  other.total_ = 0;
  other.limit_ = 0;
}

Capture::~Capture() { budget_->give(taken_); }

// What the string has reserved is counted, not what it holds: that is what memory is used.
bool Capture::make_room(std::size_t size) {
  if (size <= room_) return true;
  const std::size_t generous = std::max(size, std::min(limit_, std::max(kFreeBytes, room_ * 2)));
  for (const std::size_t wanted : {generous, size}) {
    const std::size_t from_budget = wanted - std::min(wanted, kFreeBytes);
    if (from_budget > taken_ && !budget_->take(from_budget - taken_)) continue;
    taken_ = std::max(taken_, from_budget);
    room_ = wanted;
    bytes_.reserve(wanted);
    return true;
  }
  return false;
}

void Capture::add(std::string_view bytes) {
  // Once cut, cut for good: the copy is a beginning, it never has holes.
  const bool was_cut = is_cut();
  total_ += bytes.size();
  if (was_cut || bytes.empty()) return;
  std::string_view fitting = bytes.substr(0, limit_ - bytes_.size());
  if (!make_room(bytes_.size() + fitting.size())) {
    // What is free is used to its end.
    fitting = fitting.substr(0, kFreeBytes - std::min(kFreeBytes, bytes_.size()));
    if (!make_room(bytes_.size() + fitting.size())) return;
  }
  bytes_.append(fitting);
}

namespace {

std::size_t sequence_length(unsigned char lead) {
  if (lead >= 0xf0) return 4;
  if (lead >= 0xe0) return 3;
  return lead >= 0xc0 ? 2 : 1;
}

// `bytes` without a code point at its end that needs more bytes than there are.
std::string_view without_unfinished(std::string_view bytes) {
  for (std::size_t back = 1; back <= 3 && back <= bytes.size(); ++back) {
    const auto byte = static_cast<unsigned char>(bytes[bytes.size() - back]);
    if ((byte & 0xc0) == 0x80) continue;
    if (sequence_length(byte) > back) bytes.remove_suffix(back);
    break;
  }
  return bytes;
}

// The bytes of the first `count` code points; `text` is UTF-8.
std::size_t bytes_of(std::string_view text, std::size_t count) {
  if (text.size() <= count) return text.size();
  std::size_t points = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) == 0x80) continue;
    if (points == count) return i;
    ++points;
  }
  return text.size();
}

}  // namespace

CapturedText captured_text(std::string_view bytes, bool is_cut, std::size_t limit_kb) {
  CapturedText out;
  out.is_truncated = is_cut;
  if (bytes.empty()) {
    if (is_cut) out.text.emplace();
    return out;
  }
  const std::string_view whole = is_cut ? without_unfinished(bytes) : bytes;
  if (!base::is_utf8(whole)) {
    out.text = "[binary, " + std::to_string(bytes.size()) + " bytes]";
    return out;
  }
  const std::size_t end = bytes_of(whole, limit_kb * 1024);
  out.text.emplace(whole.substr(0, end));
  if (end < whole.size()) out.is_truncated = true;
  return out;
}

bool is_textual(std::string_view content_type) {
  constexpr std::array<std::string_view, 4> kTypes = {"application/json", "application/xml",
                                                      "application/yaml",
                                                      "application/x-www-form-urlencoded"};
  const std::string_view type = base::trim(content_type.substr(0, content_type.find(';')));
  constexpr std::string_view kText = "text/";
  const bool is_text = base::equals_ignoring_case(type.substr(0, kText.size()), kText) ||
                       std::any_of(kTypes.begin(), kTypes.end(), [type](std::string_view known) {
                         return base::equals_ignoring_case(known, type);
                       });
  if (!is_text) return false;
  const auto is_same = [](char a, char b) { return base::equals_ignoring_case({&a, 1}, {&b, 1}); };
  constexpr std::string_view kStream = "event-stream";
  return std::search(content_type.begin(), content_type.end(), kStream.begin(), kStream.end(),
                     is_same) == content_type.end();
}

}  // namespace leash::audit
