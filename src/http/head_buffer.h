// Finds the end of a head (or of a trailer section) in bytes that come in pieces.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace leash::http {

// Looks at each byte once, however the input is cut. Holds at most `limit` bytes; a section that
// comes whole is not copied.
class HeadBuffer {
 public:
  HeadBuffer(std::size_t limit, base::Fault fault) : limit_(limit), fault_(fault) {}

  // Takes from the front of `in` up to and with the first empty line. The result has all lines with
  // their CR LF and lives until `clear` or, where it lies in it, until the caller drops `in`.
  // nullopt: `in` is used up. Errors: bad_line_end (LF without CR; CR without LF is left to who
  // reads the lines), head_too_large.
  [[nodiscard]] base::Result<std::optional<std::string_view>> take(std::string_view& in);

  // For the next section. Gives large memory back, since a connection may now idle for minutes.
  void clear();
  // Not one byte is held.
  [[nodiscard]] bool is_empty() const { return held_.empty(); }
  [[nodiscard]] std::size_t held_bytes() const { return held_.size(); }

 private:
  std::string held_;
  std::size_t line_bytes_ = 0;  // of the last line in held_, which has not ended yet
  std::size_t limit_;
  base::Fault fault_;
};

}  // namespace leash::http
