// Puts new text in a file's place so that a reader sees the old text or the new one, never a part.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "base/fd.h"
#include "base/free_with.h"
#include "base/text.h"
#include "config/policy_edit.h"

namespace leash::config {
namespace {

tl::unexpected<base::Error> io_error(const std::string& path) {
  const int error = errno;
  return base::fail(base::Code::kIo, base::Fault::kProxy, path + ": " + base::errno_text(error));
}

// Where `path` really is: a symlink stays, and what it points at is replaced.
std::string real_path(const std::string& path) {
  const std::unique_ptr<char, base::FreeWith<std::free>> real(::realpath(path.c_str(), nullptr));
  return real ? std::string(real.get()) : path;
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(fd, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return true;
}

// A temporary file that is gone unless it was renamed.
struct TemporaryFile {
  explicit TemporaryFile(std::string pattern) : path(std::move(pattern)) {
    fd = base::Fd(::mkostemp(path.data(), O_CLOEXEC));
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (fd.is_open() && !is_renamed) ::unlink(path.c_str());
  }

  std::string path;
  base::Fd fd;
  bool is_renamed = false;
};

bool take_over_owner(int fd, const struct stat& old, const struct stat& fresh) {
  if (old.st_uid == fresh.st_uid && old.st_gid == fresh.st_gid) return true;
  if (::fchown(fd, old.st_uid, old.st_gid) == 0) return true;
  // An ordinary user who may write the directory cannot give files away; the group alone may still
  // be possible.
  if (errno != EPERM) return false;
  return ::fchown(fd, static_cast<uid_t>(-1), old.st_gid) == 0 || errno == EPERM;
}

}  // namespace

base::Result<void> replace_file(const std::string& path, const std::string& text, unsigned mode) {
  const std::string target = real_path(path);
  const auto slash = target.rfind('/');
  const std::string dir = slash == std::string::npos ? "." : target.substr(0, slash + 1);
  const std::string name = slash == std::string::npos ? target : target.substr(slash + 1);

  struct stat old {};
  const bool has_old = ::stat(target.c_str(), &old) == 0;
  if (has_old && !S_ISREG(old.st_mode)) {
    return base::fail(base::Code::kIo, base::Fault::kProxy, path + ": not a regular file");
  }
  TemporaryFile temporary(dir + "/." + name + ".XXXXXX");
  const int fd = temporary.fd.get();
  if (!temporary.fd.is_open()) return io_error(path);
  struct stat fresh {};
  if (::fstat(fd, &fresh) != 0) return io_error(path);
  // The owner first: chown may take mode bits away.
  if (has_old && !take_over_owner(fd, old, fresh)) return io_error(path);
  if (::fchmod(fd, has_old ? old.st_mode & 07777 : static_cast<mode_t>(mode)) != 0) {
    return io_error(path);
  }
  if (!write_all(fd, text) || ::fsync(fd) != 0) return io_error(path);
  if (::rename(temporary.path.c_str(), target.c_str()) != 0) return io_error(path);
  temporary.is_renamed = true;
  const base::Fd dir_fd(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir_fd.is_open() || ::fsync(dir_fd.get()) != 0) return io_error(path);
  return {};
}

}  // namespace leash::config
