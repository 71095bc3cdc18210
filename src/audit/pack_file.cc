#include "audit/pack_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "audit/rotated_name.h"
#include "base/fd.h"
#include "base/free_with.h"
#include "base/text.h"

namespace leash::audit {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kReadBytes = 256 * 1024;
constexpr int kLevel = 3;
constexpr std::string_view kMagic = "\x28\xb5\x2f\xfd";
constexpr std::string_view kWorkSuffix = ".pack";

tl::unexpected<base::Error> io_error(std::string_view what, const std::string& path, int error) {
  return base::fail(base::Code::kIo, base::Fault::kProxy,
                    std::string(what) + " " + path + ": " + base::errno_text(error));
}

std::string work_path(const std::string& path) {
  return folder_of(path) + "/." + fs::path(path).filename().string() + std::string(kWorkSuffix);
}

bool write_whole(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (count == 0 || errno != EINTR) {
      if (count == 0) errno = EIO;
      return false;
    }
  }
  return true;
}

ssize_t read_some(int fd, std::vector<char>& into) {
  for (;;) {
    const ssize_t count = ::read(fd, into.data(), into.size());
    if (count >= 0 || errno != EINTR) return count;
  }
}

class Packer {
 public:
  Packer() : stream_(ZSTD_createCCtx()), in_(kReadBytes), out_(ZSTD_CStreamOutSize()) {
    if (stream_ == nullptr) return;
    ZSTD_CCtx_setParameter(stream_.get(), ZSTD_c_compressionLevel, kLevel);
    ZSTD_CCtx_setParameter(stream_.get(), ZSTD_c_checksumFlag, 1);
  }

  // True: all of it is in `to`. False with errno 0: stopped.
  bool run(int from, int to, const std::atomic<bool>& stop) {
    if (stream_ == nullptr) return fail(ENOMEM);
    for (;;) {
      if (stop.load(std::memory_order_relaxed)) return fail(0);
      const ssize_t count = read_some(from, in_);
      if (count < 0) return false;
      if (!put({in_.data(), static_cast<std::size_t>(count), 0},
               count == 0 ? ZSTD_e_end : ZSTD_e_continue, to)) {
        return false;
      }
      if (count == 0) return true;
    }
  }

 private:
  static bool fail(int error) {
    errno = error;
    return false;
  }

  bool put(ZSTD_inBuffer in, ZSTD_EndDirective directive, int to) {
    for (;;) {
      ZSTD_outBuffer out{out_.data(), out_.size(), 0};
      const std::size_t left = ZSTD_compressStream2(stream_.get(), &out, &in, directive);
      if (ZSTD_isError(left) != 0) return fail(ENOMEM);
      if (!write_whole(to, {out_.data(), out.pos})) return false;
      const bool is_done = directive == ZSTD_e_end ? left == 0 : in.pos == in.size;
      if (is_done) return true;
    }
  }

  std::unique_ptr<ZSTD_CCtx, base::FreeWith<ZSTD_freeCCtx>> stream_;
  std::vector<char> in_;
  std::vector<char> out_;
};

base::Result<bool> is_packed(int fd, const std::string& path) {
  std::array<char, kMagic.size()> start{};
  const ssize_t count = ::pread(fd, start.data(), start.size(), 0);
  if (count < 0) return io_error("cannot read", path, errno);
  return std::string_view(start.data(), static_cast<std::size_t>(count)) == kMagic;
}

// The packed copy at `work`, on the disk.
base::Result<bool> make_copy(int from, const struct stat& status, const std::string& work,
                             const std::atomic<bool>& stop) {
  ::unlink(work.c_str());
  const base::Fd to(::open(work.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!to.is_open()) return io_error("cannot make", work, errno);
  if (!Packer().run(from, to.get(), stop)) {
    const int error = errno;
    ::unlink(work.c_str());
    if (error == 0) return false;
    return io_error("cannot write", work, error);
  }
  // The owner only where we may: a log that root made for somebody stays his.
  const bool has_owner = ::fchown(to.get(), status.st_uid, status.st_gid) == 0;
  const mode_t mode = has_owner ? status.st_mode & 0777 : status.st_mode & 0700;
  const std::array<timespec, 2> times{status.st_atim, status.st_mtim};
  if (::fchmod(to.get(), mode) != 0 || ::futimens(to.get(), times.data()) != 0 ||
      ::fsync(to.get()) != 0) {
    const int error = errno;
    ::unlink(work.c_str());
    return io_error("cannot finish", work, error);
  }
  return true;
}

}  // namespace

base::Result<bool> pack_file(const std::string& path, const std::atomic<bool>& stop) {
  const std::string packed_path = path + std::string(kPackedSuffix);
  struct stat taken {};
  if (::lstat(packed_path.c_str(), &taken) == 0) return io_error("cannot pack", path, EEXIST);
  const base::Fd from(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!from.is_open()) return io_error("cannot open", path, errno);
  struct stat status {};
  if (::fstat(from.get(), &status) != 0) return io_error("cannot stat", path, errno);
  auto was_packed = is_packed(from.get(), path);
  if (!was_packed) return was_packed;
  if (!*was_packed) {
    const std::string work = work_path(path);
    auto copied = make_copy(from.get(), status, work, stop);
    if (!copied || !*copied) return copied;
    if (::rename(work.c_str(), path.c_str()) != 0) {
      const int error = errno;
      ::unlink(work.c_str());
      return io_error("cannot replace", path, error);
    }
  }
  if (::rename(path.c_str(), packed_path.c_str()) != 0) {
    return io_error("cannot rename", path, errno);
  }
  // Not needed to keep the lines, whichever of the names a power loss leaves.
  const base::Fd folder(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.is_open()) ::fsync(folder.get());
  return true;
}

void remove_pack_leftovers(const std::string& log) {
  const std::string start = "." + fs::path(log).filename().string() + ".seq";
  std::error_code error;
  std::vector<fs::path> found;
  for (fs::directory_iterator entry(folder_of(log), error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with(start) && name.ends_with(kWorkSuffix)) found.push_back(entry->path());
  }
  for (const fs::path& path : found) ::unlink(path.c_str());
}

}  // namespace leash::audit
