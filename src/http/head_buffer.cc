#include "http/head_buffer.h"

namespace leash::http {
namespace {

constexpr std::size_t kEmptyLine = 2;        // CR LF
constexpr std::size_t kKeepCapacity = 2048;  // what an idle connection may hold

}  // namespace

base::Result<std::optional<std::string_view>> HeadBuffer::take(std::string_view& in) {
  // The limit bounds the search too, so that the same byte is at fault however the input is cut.
  const std::string_view window = in.substr(0, limit_ - held_.size());
  std::size_t line_start = 0;
  for (;;) {
    const auto lf = window.find('\n', line_start);
    if (lf == std::string_view::npos) break;
    const char before = lf > 0 ? window[lf - 1] : held_.empty() ? '\0' : held_.back();
    if (before != '\r') return base::fail(base::Code::kBadLineEnd, fault_, "LF without CR");
    const std::size_t line_bytes = line_bytes_ + lf + 1 - line_start;
    line_bytes_ = 0;
    line_start = lf + 1;
    if (line_bytes != kEmptyLine) continue;
    const std::string_view last = in.substr(0, line_start);
    in.remove_prefix(line_start);
    if (held_.empty()) return last;
    held_.append(last);
    return std::string_view(held_);
  }
  if (window.size() < in.size()) return base::fail(base::Code::kHeadTooLarge, fault_);
  line_bytes_ += window.size() - line_start;
  held_.append(window);
  in = {};
  return std::nullopt;
}

void HeadBuffer::clear() {
  line_bytes_ = 0;
  if (held_.capacity() > kKeepCapacity) {
    held_ = std::string();
  } else {
    held_.clear();
  }
}

}  // namespace leash::http
