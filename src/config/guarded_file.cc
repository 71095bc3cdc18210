#include "config/guarded_file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"
#include "base/text.h"

namespace leash::config {
namespace {

constexpr int kOpenFlags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;

std::int64_t nanoseconds(const struct timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

FileText unusable(std::string why) {
  FileText out;
  out.state = FileText::State::kUnusable;
  out.error = std::move(why);
  return out;
}

base::Fd open_below(const std::string& dir, const std::string& name) {
  const base::Fd dir_fd(::open(dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!dir_fd.is_open()) return {};
  struct open_how how {};
  how.flags = static_cast<std::uint64_t>(kOpenFlags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const long fd = ::syscall(SYS_openat2, dir_fd.get(), name.c_str(), &how, sizeof how);
  if (fd >= 0) return base::Fd(static_cast<int>(fd));
  // Kernels and sandboxes without openat2: the name itself has no way out, and the directory is the
  // operator's.
  if (errno != ENOSYS && errno != EPERM) return {};
  return base::Fd(::openat(dir_fd.get(), name.c_str(), kOpenFlags));
}

}  // namespace

FileStamp FileStamp::of(const struct stat& info) {
  FileStamp stamp;
  stamp.device = info.st_dev;
  stamp.inode = info.st_ino;
  stamp.size = info.st_size;
  stamp.mtime_ns = nanoseconds(info.st_mtim);
  stamp.ctime_ns = nanoseconds(info.st_ctim);
  return stamp;
}

StampResult stamp_of(const std::string& path) {
  struct stat info {};
  if (::fstatat(AT_FDCWD, path.c_str(), &info, 0) == 0) return {FileStamp::of(info), 0};
  return {std::nullopt, errno == ENOENT ? 0 : errno};
}

FileText read_guarded(const std::string& dir, const std::string& name, Confine confine,
                      std::size_t most_bytes) {
  const base::Fd fd = confine == Confine::kBelowDirectory
                          ? open_below(dir, name)
                          : base::Fd(::open((dir + "/" + name).c_str(), kOpenFlags));
  if (!fd.is_open()) {
    if (errno == ENOENT) return {};
    return unusable(base::errno_text(errno));
  }
  struct stat before {};
  if (::fstat(fd.get(), &before) != 0) return unusable(base::errno_text(errno));
  if (!S_ISREG(before.st_mode)) return unusable("not a regular file");
  const auto too_large = [&] {
    return unusable("larger than " + std::to_string(most_bytes / 1024) + " KiB");
  };
  if (static_cast<std::uint64_t>(before.st_size) > most_bytes) return too_large();

  FileText out;
  out.state = FileText::State::kRead;
  out.stamp = FileStamp::of(before);
  std::size_t used = 0;
  for (;;) {
    // One byte more than the size: the end is seen without more room, which a string doubles for.
    if (used == out.text.size()) {
      out.text.resize(used == 0 ? static_cast<std::size_t>(before.st_size) + 1 : used + 65536);
    }
    const ssize_t got = ::read(fd.get(), out.text.data() + used, out.text.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return unusable(base::errno_text(errno));
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
    if (used > most_bytes) return too_large();
  }
  out.text.resize(used);
  struct stat after {};
  out.is_torn = ::fstat(fd.get(), &after) != 0 || FileStamp::of(after) != out.stamp ||
                used != static_cast<std::uint64_t>(before.st_size);
  return out;
}

}  // namespace leash::config
