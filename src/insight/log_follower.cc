#include "insight/log_follower.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/text.h"

namespace leash::insight {
namespace {

constexpr std::size_t kBlockBytes = 64 * 1024;

tl::unexpected<base::Error> io_error(const std::string& path, const std::string& what) {
  return base::fail(base::Code::kIo, base::Fault::kProxy, path + ": " + what);
}

ssize_t read_at(int fd, char* block, std::size_t bytes, off_t offset) {
  for (;;) {
    const ssize_t count = ::pread(fd, block, bytes, offset);
    if (count >= 0 || errno != EINTR) return count;
  }
}

}  // namespace

LogFollower::LogFollower(std::string path) : path_(std::move(path)) {}

base::Result<bool> LogFollower::open() {
  base::Fd fd(::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!fd.is_open() && errno == ENOENT) return false;
  if (!fd.is_open()) return io_error(path_, base::errno_text(errno));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return io_error(path_, base::errno_text(errno));
  if (!S_ISREG(status.st_mode)) return io_error(path_, "not a regular file");
  fd_ = std::move(fd);
  offset_ = 0;
  part_.clear();
  is_skipping_ = false;
  return true;
}

base::Result<void> LogFollower::start(std::size_t count) {
  auto opened = open();
  if (!opened) return tl::unexpected(opened.error());
  if (!*opened) return io_error(path_, base::errno_text(ENOENT));
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) return io_error(path_, base::errno_text(errno));
  // Backwards over line ends: the first one found ends the last line, so the end that stands before
  // `count` lines is number count + 1.
  std::vector<char> block(kBlockBytes);
  off_t end = status.st_size;
  std::size_t ends = 0;
  while (end > 0) {
    const auto size = static_cast<std::size_t>(std::min<off_t>(end, kBlockBytes));
    const off_t begin = end - static_cast<off_t>(size);
    const ssize_t got = read_at(fd_.get(), block.data(), size, begin);
    if (got < 0) return io_error(path_, base::errno_text(errno));
    for (auto i = static_cast<std::size_t>(got); i-- > 0;) {
      if (block[i] != '\n') continue;
      if (++ends == count + 1) {
        offset_ = begin + static_cast<off_t>(i) + 1;
        return {};
      }
    }
    end = begin;
  }
  offset_ = 0;
  return {};
}

void LogFollower::take(std::string_view block, const OnLine& on_line) {
  while (!block.empty()) {
    const auto end = block.find('\n');
    const std::string_view piece = block.substr(0, end);
    if (end == std::string_view::npos) {
      if (is_skipping_) return;
      part_ += piece;
      if (part_.size() > kMaxLineBytes) {
        is_skipping_ = true;
        part_ = {};
      }
      return;
    }
    block.remove_prefix(end + 1);
    if (std::exchange(is_skipping_, false)) continue;
    if (part_.empty()) {
      on_line(piece);
    } else {
      part_ += piece;
      on_line(part_);
      part_.clear();
    }
  }
}

base::Result<void> LogFollower::read_on(const OnLine& on_line) {
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) return io_error(path_, base::errno_text(errno));
  if (status.st_size < offset_) {
    offset_ = 0;
    part_.clear();
    is_skipping_ = false;
  }
  std::vector<char> block(kBlockBytes);
  for (;;) {
    const ssize_t count = read_at(fd_.get(), block.data(), block.size(), offset_);
    if (count < 0) return io_error(path_, base::errno_text(errno));
    if (count == 0) return {};
    offset_ += count;
    take({block.data(), static_cast<std::size_t>(count)}, on_line);
  }
}

bool LogFollower::is_replaced() const {
  struct stat there {};
  struct stat here {};
  // Moved away and not made again: the old file may still be written to.
  if (::stat(path_.c_str(), &there) != 0 || ::fstat(fd_.get(), &here) != 0) return false;
  return there.st_ino != here.st_ino || there.st_dev != here.st_dev;
}

base::Result<void> LogFollower::poll(const OnLine& on_line) {
  if (fd_.is_open()) {
    // Asked before reading: what was written until the replacement is then in what is read.
    const bool has_successor = is_replaced();
    if (auto done = read_on(on_line); !done || !has_successor) return done;
  }
  const auto opened = open();
  if (!opened) return tl::unexpected(opened.error());
  return *opened ? read_on(on_line) : base::Result<void>{};
}

}  // namespace leash::insight
