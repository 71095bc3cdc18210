#include "net/socket_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <utility>

namespace leash::net {

SocketFile::SocketFile(std::string path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return;
  path_ = std::move(path);
  device_ = info.st_dev;
  inode_ = info.st_ino;
}

SocketFile::~SocketFile() { remove(); }

SocketFile::SocketFile(SocketFile&& other) noexcept
    : path_(std::exchange(other.path_, {})), device_(other.device_), inode_(other.inode_) {}

SocketFile& SocketFile::operator=(SocketFile&& other) noexcept {
  if (this == &other) return *this;
  remove();
  path_ = std::exchange(other.path_, {});
  device_ = other.device_;
  inode_ = other.inode_;
  return *this;
}

void SocketFile::remove() {
  if (path_.empty()) return;
  struct stat info {};
  const bool is_ours = ::lstat(path_.c_str(), &info) == 0 && S_ISSOCK(info.st_mode) &&
                       info.st_dev == device_ && info.st_ino == inode_;
  if (is_ours) ::unlink(path_.c_str());
  path_.clear();
}

}  // namespace leash::net
