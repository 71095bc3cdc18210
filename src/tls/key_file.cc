#include "tls/key_file.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/fd.h"
#include "base/text.h"
#include "tls/digest.h"

namespace leash::tls {
namespace {

using base::Code;
using base::Fault;

tl::unexpected<base::Error> io_error(const std::string& what, int error) {
  return base::fail(Code::kIo, Fault::kProxy, what + ": " + base::errno_text(error));
}

tl::unexpected<base::Error> refused(std::string why) {
  return base::fail(Code::kBadKeyFile, Fault::kProxy, std::move(why));
}

base::Result<void> check_privacy(const std::string& path, const struct stat& info) {
  if ((info.st_mode & 077) != 0) {
    return refused(path + " can be read by others; run: chmod 600 " + path);
  }
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    return refused(path + " belongs to user " + std::to_string(info.st_uid) +
                   ", not to the user that leash runs as; run: chown " +
                   std::to_string(::geteuid()) + " " + path);
  }
  return {};
}

enum class Secrecy { kSecret, kPublic };

base::Result<std::optional<std::string>> read_file(const std::string& path, Secrecy secrecy) {
  // O_NONBLOCK: a FIFO in the place of the file must not hang the start.
  const int flags =
      O_RDONLY | O_CLOEXEC | O_NONBLOCK | (secrecy == Secrecy::kSecret ? O_NOFOLLOW : 0);
  const base::Fd file(::open(path.c_str(), flags));
  if (!file.is_open()) {
    if (errno == ENOENT) return std::nullopt;
    if (errno == ELOOP) return refused(path + " is a symbolic link; put the file itself there");
    return io_error(path, errno);
  }
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return io_error(path, errno);
  if (!S_ISREG(info.st_mode)) return refused(path + " is not a regular file");
  if (secrecy == Secrecy::kSecret) {
    if (auto ok = check_privacy(path, info); !ok) return tl::unexpected(ok.error());
  }
  if (info.st_size > static_cast<off_t>(kMaxKeyFileBytes)) return refused(path + " is too large");

  // Never grows, so that no stray copy of a secret stays behind.
  std::string text(static_cast<std::size_t>(info.st_size), '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const ssize_t got = ::read(file.get(), text.data() + have, text.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const int error = errno;
      wipe(text);
      return io_error(path, error);
    }
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  text.resize(have);
  return text;
}

base::Result<void> write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return io_error(path, errno);
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

base::Result<void> write_temporary(const std::string& path, mode_t mode, std::string_view text) {
  const base::Fd file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!file.is_open()) return io_error(path, errno);
  if (::fchmod(file.get(), mode) != 0) return io_error(path, errno);  // whatever the umask
  if (auto ok = write_all(file.get(), text, path); !ok) return ok;
  if (::fsync(file.get()) != 0) return io_error(path, errno);
  return {};
}

// rename, but never over a file; 0, or errno.
int move_to_free_name(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // File systems without RENAME_NOREPLACE (NFS): a hard link does not replace either.
  if (::link(from.c_str(), to.c_str()) != 0) return errno;
  ::unlink(from.c_str());
  return 0;
}

}  // namespace

base::Result<std::optional<std::string>> read_key_file(const std::string& path) {
  return read_file(path, Secrecy::kSecret);
}

base::Result<std::optional<std::string>> read_public_file(const std::string& path) {
  return read_file(path, Secrecy::kPublic);
}

void wipe(std::string& secret) {
  OPENSSL_cleanse(secret.data(), secret.size());
  secret.clear();
}

base::Result<Placed> place_new_file(const std::string& path, mode_t mode, std::string_view text) {
  std::string temporary = path + ".";
  base::append_hex(temporary, random_bytes(8));
  temporary += ".tmp";
  if (auto ok = write_temporary(temporary, mode, text); !ok) {
    ::unlink(temporary.c_str());
    return tl::unexpected(ok.error());
  }
  if (const int error = move_to_free_name(temporary, path); error != 0) {
    ::unlink(temporary.c_str());
    if (error == EEXIST) return Placed::kAlreadyThere;
    return io_error(path, error);
  }
  const std::string dir = std::filesystem::path(path).parent_path().string();
  const base::Fd folder(
      ::open(dir.empty() ? "." : dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.is_open() || ::fsync(folder.get()) != 0) return io_error(dir, errno);
  return Placed::kYes;
}

base::Result<void> ensure_private_directory(const std::string& dir) {
  std::error_code error;
  if (std::filesystem::is_directory(dir, error)) return {};
  std::string name = dir;
  while (name.size() > 1 && name.back() == '/') name.pop_back();
  const std::filesystem::path parent = std::filesystem::path(name).parent_path();
  if (!parent.empty()) {
    std::filesystem::create_directories(parent, error);
    if (error) return io_error(parent.string(), error.value());
  }
  if (::mkdir(name.c_str(), 0700) != 0 && errno != EEXIST) return io_error(name, errno);
  if (!std::filesystem::is_directory(name, error)) {
    return base::fail(Code::kIo, Fault::kProxy, name + " is not a directory");
  }
  return {};
}

}  // namespace leash::tls
