#include "audit/log_file.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "audit/rotated_log.h"
#include "audit/rotated_name.h"
#include "base/text.h"

namespace leash::audit {
namespace {

// Of another process, read at once.
constexpr std::uint64_t kMostNews = 64 * 1024 * 1024;

base::Error io_error(std::string_view what, const std::string& path, int error) {
  return {base::Code::kIo, base::Fault::kProxy,
          std::string(what) + " " + path + ": " + base::errno_text(error)};
}

}  // namespace

LogFile::LogFile(std::string path, FileSystem fs, SyncDirectory sync)
    : path_(std::move(path)), fs_(std::move(fs)), sync_(sync) {}

base::Result<void> LogFile::ensure_open() {
  if (fd_.is_open()) {
    struct stat now {};
    if (::stat(path_.c_str(), &now) == 0 && now.st_dev == device_ && now.st_ino == inode_) {
      if (now.st_size == 0) {  // emptied by copytruncate
        needs_newline_ = false;
        leftover_.reset();
      }
      size_ = static_cast<std::uint64_t>(now.st_size);
      cut_leftover();
      return {};
    }
    close();
  }
  return open_now();
}

void LogFile::close() {
  fd_.reset();
  known_ = 0;
  known_inode_ = 0;
}

base::Result<void> LogFile::open_now() {
  // Without O_NONBLOCK the open of a FIFO would wait for its other end.
  constexpr int kFlags = O_RDWR | O_APPEND | O_CLOEXEC | O_NONBLOCK;
  constexpr mode_t kMode = 0640;
  bool is_new = false;
  int fd = fs_.open(path_.c_str(), kFlags, 0);
  if (fd < 0 && errno == ENOENT) {
    fd = fs_.open(path_.c_str(), kFlags | O_CREAT | O_EXCL, kMode);
    is_new = fd >= 0;
  }
  if (fd < 0 && errno == EISDIR) {
    return base::fail(base::Code::kBadConfig, base::Fault::kProxy, path_ + " is a directory");
  }
  if (fd < 0) return tl::unexpected(io_error("cannot open", path_, errno));
  base::Fd opened(fd);
  struct stat status {};
  if (::fstat(fd, &status) != 0) return tl::unexpected(io_error("cannot stat", path_, errno));
  if (!S_ISREG(status.st_mode)) {
    return base::fail(base::Code::kBadConfig, base::Fault::kProxy,
                      path_ + " is not an ordinary file");
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    spdlog::warn("audit log {} can be written by others (mode {:o})", path_,
                 static_cast<unsigned>(status.st_mode & 07777U));
  }
  fd_ = std::move(opened);
  device_ = status.st_dev;
  inode_ = status.st_ino;
  size_ = static_cast<std::uint64_t>(status.st_size);
  needs_newline_ = false;
  leftover_.reset();
  if (auto looked = look_at_tail(); !looked) {
    fd_.reset();
    return looked;
  }
  if (is_new && sync_ == SyncDirectory::kYes) sync_directory();
  return {};
}

base::Result<LogTail> LogFile::read_tail_of(std::uint64_t size) const {
  const ReadAt read_at = [this](char* to, std::size_t wanted,
                                std::uint64_t offset) -> std::int64_t {
    const ssize_t got = ::pread(fd_.get(), to, wanted, static_cast<off_t>(offset));
    return got < 0 ? -errno : got;
  };
  return read_tail(read_at, size);
}

base::Result<void> LogFile::look_at_tail() {
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) {
    return tl::unexpected(io_error("cannot stat", path_, errno));
  }
  auto tail = read_tail_of(static_cast<std::uint64_t>(status.st_size));
  if (!tail)
    return tl::unexpected(io_error("cannot read", path_ + ": " + tail.error().detail, EIO));
  if (tail->torn_bytes > 0) {
    TornPiece piece{tail->torn_bytes, tail->torn_start, false};
    piece.is_kept = !tail->is_ours || !cut(tail->end);
    needs_newline_ = piece.is_kept && !tail->is_ended;
    spdlog::warn("audit log {}: {} bytes behind the last whole line were {}", path_, piece.bytes,
                 piece.is_kept ? "left as they are" : "cut off");
    torn_ = std::move(piece);
  }
  if (!tail_) {
    tail_ = std::move(*tail);
    if (status.st_size == 0) {
      if (auto rotated = tail_of_rotated(path_)) {
        tail_->seq = rotated->seq;
        tail_->chain = rotated->chain;
        tail_->unsigned_lines = std::move(rotated->unsigned_lines);
      }
    }
  }
  return {};
}

bool LogFile::cut(std::uint64_t end) {
  return fs_.ftruncate(fd_.get(), static_cast<off_t>(end)) == 0;
}

// What could not be cut off before may go now (an append-only attribute taken away); unless
// somebody has written behind it.
void LogFile::cut_leftover() {
  if (!leftover_) return;
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0 ||
      static_cast<std::uint64_t>(status.st_size) != leftover_->end || !cut(leftover_->begin)) {
    return;
  }
  leftover_.reset();
  torn_.reset();
  needs_newline_ = false;
}

void LogFile::leave(std::string_view piece, std::uint64_t end) {
  if (piece.empty()) return;
  if (cut(end - piece.size())) return;
  spdlog::warn("audit log {}: {} bytes of an unfinished line cannot be cut off: {}", path_,
               piece.size(), base::errno_text(errno));
  leftover_ = Leftover{end - piece.size(), end};
  torn_ = TornPiece{piece.size(), std::string(piece.substr(0, kTornShown)), true};
  needs_newline_ = true;
}

LogFile::Appended LogFile::append(std::string_view text, std::span<const std::size_t> line_ends) {
  // A line of its own for the piece that stands there, so that what follows stays whole.
  last_had_newline_ = needs_newline_;
  std::string with_newline;
  std::string_view bytes = text;
  const std::size_t extra = needs_newline_ ? 1 : 0;
  if (needs_newline_) {
    with_newline.reserve(text.size() + 1);
    with_newline.append("\n").append(text);
    bytes = with_newline;
  }
  std::size_t written = 0;
  int error = 0;
  while (written < bytes.size()) {
    const ssize_t count = fs_.write(fd_.get(), bytes.data() + written, bytes.size() - written);
    if (count > 0) {
      written += static_cast<std::size_t>(count);
    } else if (count == 0 || errno != EINTR) {
      error = count == 0 ? EIO : errno;
      break;
    }
  }
  last_written_ = written;
  size_ += written;
  if (error == 0) {
    needs_newline_ = false;
    leftover_.reset();
    return {text.size(), 0};
  }
  const std::uint64_t begin = last_begin();
  const std::uint64_t end = begin + written;
  std::size_t whole = 0;
  for (const std::size_t line_end : line_ends) {
    if (line_end + extra <= written) whole = line_end;
  }
  if (whole > 0) {
    needs_newline_ = false;
    leftover_.reset();
    leave(bytes.substr(whole + extra, written - whole - extra), end);
  } else if (written > 0 && extra == 0) {
    leave(bytes.substr(0, written), end);
  } else if (written > 0 && !cut(begin)) {
    // Behind a piece that is there already: this one makes two of them.
    needs_newline_ = written > 1;
    leftover_.reset();
  }
  return {whole, error};
}

int LogFile::sync() { return fs_.fdatasync(fd_.get()) == 0 ? 0 : errno; }

// Where O_APPEND put what was written last: the file may have been emptied since it was looked at.
std::uint64_t LogFile::last_begin() const {
  const off_t position = last_written_ > 0 ? ::lseek(fd_.get(), 0, SEEK_CUR) : 0;
  return position > 0 ? static_cast<std::uint64_t>(position) - last_written_ : 0;
}

bool LogFile::take_back() {
  if (!cut(last_begin())) return false;
  needs_newline_ = last_had_newline_;
  return true;
}

int LogFile::rotate(const std::string& to) {
  struct stat status {};
  if (::stat(path_.c_str(), &status) != 0) return errno;
  if (status.st_dev != device_ || status.st_ino != inode_) return ESTALE;
  // Looked at first, since not every file system has RENAME_NOREPLACE; nobody else makes such
  // names.
  const std::string packed = to + std::string(kPackedSuffix);
  if (::lstat(to.c_str(), &status) == 0 || ::lstat(packed.c_str(), &status) == 0) return EEXIST;
  if (::rename(path_.c_str(), to.c_str()) != 0) return errno;
  close();
  return 0;
}

void LogFile::mark_known() {
  struct stat status {};
  if (!fd_.is_open() || ::fstat(fd_.get(), &status) != 0) return;
  known_ = static_cast<std::uint64_t>(status.st_size);
  known_inode_ = inode_;
}

base::Result<void> LogFile::read_news(News& news) {
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) {
    return tl::unexpected(io_error("cannot stat", path_, errno));
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  known_inode_ = inode_;
  if (size <= known_) return {};
  if (size - known_ > kMostNews) {
    auto tail = read_tail_of(size);
    if (!tail) return tl::unexpected(tail.error());
    news.tail = std::move(*tail);
    known_ = size;
    return {};
  }
  std::string text(size - known_, '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const ssize_t got = ::pread(fd_.get(), text.data() + have, text.size() - have,
                                static_cast<off_t>(known_ + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return tl::unexpected(io_error("cannot read", path_, errno));
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  text.resize(have);
  // Half a line is what its writer's death has left: cut off, as at a start.
  const bool is_torn = !text.empty() && text.back() != '\n';
  if (is_torn) {
    const std::size_t whole = text.rfind('\n');
    text.resize(whole == std::string::npos ? 0 : whole + 1);
  }
  known_ += text.size();
  news.text += text;
  if (!is_torn) return {};
  if (auto looked = look_at_tail(); !looked) return looked;
  mark_known();
  return {};
}

LogFile::News LogFile::catch_up() {
  News news;
  const auto read_on = [this, &news] {
    if (auto done = read_news(news); !done) news.error = done.error();
    return !news.error;
  };
  struct stat status {};
  if (fd_.is_open() && ::fstat(fd_.get(), &status) == 0 && inode_ == known_inode_) {
    if (static_cast<std::uint64_t>(status.st_size) < known_) {
      known_ = 0;  // emptied by copytruncate
      news.is_emptied = true;
    }
    if (!read_on()) return news;
  }
  if (auto opened = ensure_open(); !opened) {
    news.error = opened.error();
    return news;
  }
  // Moved by the other one or by logrotate, behind what was read just now; or twice; or opened anew
  // after an error.
  news.is_moved = known_inode_ != inode_;
  if (news.is_moved) known_ = 0;
  (void)read_on();
  return news;
}

base::Result<LogTail> LogFile::look() const {
  struct stat status {};
  if (!fd_.is_open() || ::fstat(fd_.get(), &status) != 0) {
    return tl::unexpected(io_error("cannot stat", path_, errno));
  }
  return read_tail_of(static_cast<std::uint64_t>(status.st_size));
}

int LogFile::probe() {
  // Room for a line or two, asked for behind the end of the file, where readers do not see it.
  constexpr off_t kRoom = 8 * 1024;
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) return errno;
  if (fs_.fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, status.st_size, kRoom) == 0) return 0;
  // A file system without it: the next line will tell.
  return errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL || errno == EPERM ? 0 : errno;
}

void LogFile::sync_directory() const {
  const base::Fd directory(::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.is_open() || ::fsync(directory.get()) != 0) {
    spdlog::warn("audit log {}: its directory cannot be synced: {}", path_,
                 base::errno_text(errno));
  }
}

}  // namespace leash::audit
