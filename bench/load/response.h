// Reads one HTTP/1.1 response: enough to know that it is whole and as long as it should be.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bench {

class Response {
 public:
  enum class State { kHead, kLength, kChunkSize, kChunk, kTrailer, kDone, kBad };

  // A response to CONNECT has no body.
  enum class Kind { kUsual, kConnect };
  void begin(Kind kind);
  // Takes what belongs to this response from the start of `bytes`.
  void take(std::string_view& bytes);
  [[nodiscard]] bool is_done() const { return state_ == State::kDone; }
  [[nodiscard]] bool is_bad() const { return state_ == State::kBad; }
  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] std::size_t body_bytes() const { return body_bytes_; }

 private:
  bool take_line(std::string_view& bytes);
  void read_head();
  State state_ = State::kDone;
  Kind kind_ = Kind::kUsual;
  std::string text_;  // the head, or the line that is coming
  int status_ = 0;
  std::size_t body_bytes_ = 0;
  std::size_t left_ = 0;  // of the body or the chunk
};

}  // namespace bench
