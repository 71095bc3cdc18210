// The lines of a log as they come, across rotation and truncation.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"

namespace leash::insight {

class LogFollower {
 public:
  // A line without its end. Not kept beyond the call.
  using OnLine = std::function<void(std::string_view)>;

  // Looks at no file yet.
  explicit LogFollower(std::string path);

  // Stands before the last `count` whole lines of the file there is. Errors: io.
  [[nodiscard]] base::Result<void> start(std::size_t count);
  // Hands over the whole lines that came since. A file that was replaced is read to its end, then
  // the new one from its beginning; one that shrank is read from its beginning again. A file that
  // is not there (yet) is no error. Lines of more than kMaxLineBytes are left out. Errors: io.
  [[nodiscard]] base::Result<void> poll(const OnLine& on_line);

  static constexpr std::size_t kMaxLineBytes = 64 * 1024 * 1024;

 private:
  [[nodiscard]] base::Result<bool> open();
  [[nodiscard]] base::Result<void> read_on(const OnLine& on_line);
  [[nodiscard]] bool is_replaced() const;
  void take(std::string_view block, const OnLine& on_line);

  std::string path_;
  base::Fd fd_;
  off_t offset_ = 0;
  std::string part_;          // the beginning of a line whose end is not there yet
  bool is_skipping_ = false;  // in a line that is too long
};

}  // namespace leash::insight
