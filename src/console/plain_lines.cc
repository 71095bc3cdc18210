#include "console/plain_lines.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "audit/log_reader.h"
#include "base/text.h"

namespace leash::console {
namespace {

constexpr std::size_t kReadBytes = std::size_t{256} * 1024;

}  // namespace

PlainLines::PlainLines(base::Fd fd, std::uint64_t position)
    : fd_(std::move(fd)), position_(position) {}

// True: there is more than before.
base::Result<bool> PlainLines::fill() {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    searched_ -= begin_;
    begin_ = 0;
  }
  // After one long line the room is given back.
  if (end_ == 0 && buffer_.size() > 4 * kReadBytes) buffer_ = {};
  if (buffer_.size() < end_ + kReadBytes) buffer_.resize(end_ + kReadBytes);
  for (;;) {
    const ssize_t got =
        ::pread(fd_.get(), buffer_.data() + end_, kReadBytes, static_cast<off_t>(position_ + end_));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return base::fail(base::Code::kIo, base::Fault::kProxy,
                        "cannot read the log: " + base::errno_text(errno));
    }
    end_ += static_cast<std::size_t>(got);
    return got > 0;
  }
}

base::Result<void> PlainLines::read(const OnLine& on_line) {
  for (;;) {
    const auto* found =
        static_cast<const char*>(std::memchr(buffer_.data() + searched_, '\n', end_ - searched_));
    if (found == nullptr) {
      searched_ = end_;
      if (end_ - begin_ > audit::kMaxLineBytes) {
        is_skipping_ = true;
        position_ += end_ - begin_;
        begin_ = searched_ = end_ = 0;
      }
      const auto more = fill();
      if (!more) return tl::unexpected(more.error());
      if (!*more) return {};
      continue;
    }
    const auto at = static_cast<std::size_t>(found - buffer_.data());
    const std::string_view line(buffer_.data() + begin_, is_skipping_ ? 0 : at - begin_);
    const std::uint64_t position = position_;
    is_skipping_ = false;
    position_ += at + 1 - begin_;
    begin_ = searched_ = at + 1;
    if (!on_line(line, position)) return {};
  }
}

}  // namespace leash::console
