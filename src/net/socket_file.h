// The file of a unix socket, which goes when its owner goes.
#pragma once

#include <sys/types.h>

#include <string>

namespace leash::net {

// Removes the file when destroyed, if it is still the very one that was bound: another process may
// have put its own there. Destroy it before the last descriptor of the socket is closed: as long
// as that is open, the inode's number is nobody else's.
class SocketFile {
 public:
  SocketFile() = default;
  // `path` has just been bound.
  explicit SocketFile(std::string path);
  ~SocketFile();
  SocketFile(SocketFile&& other) noexcept;
  SocketFile& operator=(SocketFile&& other) noexcept;
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;

  // It is another process's now.
  void forget() { path_.clear(); }

 private:
  void remove();

  std::string path_;  // "" for none
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace leash::net
