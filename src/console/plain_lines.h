// The whole lines of a file that may still grow, from a position on.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"

namespace leash::console {

class PlainLines {
 public:
  // `position`: of the line's first byte. False ends the reading before the next line.
  using OnLine = std::function<bool(std::string_view line, std::uint64_t position)>;

  PlainLines(base::Fd fd, std::uint64_t position);

  // Hands over lines until there is no whole one left or `on_line` has enough. What is longer than
  // audit::kMaxLineBytes is handed over as an empty line. Errors: io.
  [[nodiscard]] base::Result<void> read(const OnLine& on_line);
  // Where the next line begins.
  [[nodiscard]] std::uint64_t position() const { return position_; }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  [[nodiscard]] base::Result<bool> fill();

  base::Fd fd_;
  std::uint64_t position_;  // of buffer_[begin_]
  std::string buffer_;
  std::size_t begin_ = 0;
  std::size_t searched_ = 0;  // up to here there is no end of line
  std::size_t end_ = 0;
  bool is_skipping_ = false;
};

}  // namespace leash::console
