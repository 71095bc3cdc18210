// The system calls that write the audit log, as values: a test puts a full disk in their place.
#pragma once

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <functional>

namespace leash::audit {

// Each returns what the system call of its name returns, with errno.
struct FileSystem {
  std::function<int(const char*, int, mode_t)> open = [](const char* path, int flags, mode_t mode) {
    return ::open(path, flags, mode);
  };
  std::function<ssize_t(int, const void*, size_t)> write = ::write;
  std::function<int(int)> fdatasync = ::fdatasync;
  std::function<int(int, off_t)> ftruncate = ::ftruncate;
  std::function<int(int, int, off_t, off_t)> fallocate = ::fallocate;
};

}  // namespace leash::audit
