#include "response.h"

#include <strings.h>

#include <algorithm>
#include <cstdlib>

namespace bench {
namespace {

constexpr std::size_t kMaxHeadBytes = 64 * 1024;

// The value of a field of the head, which ends with an empty line; "" where it is not there.
std::string field(const std::string& head, std::string_view name) {
  for (std::size_t at = head.find("\r\n"); at + 2 < head.size(); at = head.find("\r\n", at + 2)) {
    const std::size_t line = at + 2;
    if (strncasecmp(head.c_str() + line, name.data(), name.size()) != 0) continue;
    if (head[line + name.size()] != ':') continue;
    const std::size_t end = head.find("\r\n", line);
    std::size_t begin = line + name.size() + 1;
    while (begin < end && head[begin] == ' ') ++begin;
    return head.substr(begin, end - begin);
  }
  return {};
}

}  // namespace

void Response::begin(Kind kind) {
  state_ = State::kHead;
  kind_ = kind;
  text_.clear();
  status_ = 0;
  body_bytes_ = left_ = 0;
}

// True once a line is whole, which then is in text_.
bool Response::take_line(std::string_view& bytes) {
  const std::size_t end = bytes.find('\n');
  const std::size_t count = end == std::string_view::npos ? bytes.size() : end + 1;
  text_.append(bytes.substr(0, count));
  bytes.remove_prefix(count);
  if (text_.size() > kMaxHeadBytes) state_ = State::kBad;
  return end != std::string_view::npos;
}

void Response::read_head() {
  status_ = text_.starts_with("HTTP/1.") ? std::atoi(text_.c_str() + 9) : 0;
  if (status_ < 100) {
    state_ = State::kBad;
  } else if (kind_ == Kind::kConnect && status_ == 200) {
    state_ = State::kDone;
  } else if (status_ < 200) {
    text_.clear();  // an interim one
    return;
  } else if (!field(text_, "transfer-encoding").empty()) {
    state_ = State::kChunkSize;
  } else {
    left_ = std::strtoull(field(text_, "content-length").c_str(), nullptr, 10);
    state_ = left_ > 0 ? State::kLength : State::kDone;
  }
  text_.clear();
}

void Response::take(std::string_view& bytes) {
  while (!bytes.empty() && state_ != State::kDone && state_ != State::kBad) {
    switch (state_) {
      case State::kHead:
        if (take_line(bytes) && text_.ends_with("\r\n\r\n")) read_head();
        break;
      case State::kLength:
      case State::kChunk: {
        const std::size_t count = std::min(left_, bytes.size());
        left_ -= count;
        bytes.remove_prefix(count);
        body_bytes_ += count;
        if (left_ == 0) state_ = state_ == State::kLength ? State::kDone : State::kTrailer;
        break;
      }
      case State::kChunkSize:
        if (!take_line(bytes)) break;
        left_ = std::strtoull(text_.c_str(), nullptr, 16);
        // The last one is followed by an empty line: no trailers are expected here.
        state_ = left_ > 0 ? State::kChunk : State::kTrailer;
        if (left_ == 0) left_ = SIZE_MAX;
        text_.clear();
        break;
      case State::kTrailer:
        if (!take_line(bytes)) break;
        state_ = left_ == SIZE_MAX ? State::kDone : State::kChunkSize;
        text_.clear();
        break;
      case State::kDone:
      case State::kBad:
        break;
    }
  }
}

}  // namespace bench
