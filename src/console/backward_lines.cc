#include "console/backward_lines.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "audit/log_reader.h"
#include "base/fd.h"
#include "base/text.h"

namespace leash::console {
namespace {

constexpr std::size_t kFirstPiece = std::size_t{128} * 1024;

tl::unexpected<base::Error> io_error(const std::string& path) {
  return base::fail(base::Code::kIo, base::Fault::kProxy, path + ": " + base::errno_text(errno));
}

// pread, so that a file cut meanwhile gives less instead of a fault.
bool read_at(int fd, std::uint64_t at, std::size_t size, std::string& out) {
  out.resize(size);
  const ssize_t got = ::pread(fd, out.data(), size, static_cast<off_t>(at));
  return got == static_cast<ssize_t>(size);
}

}  // namespace

base::Result<void> read_backwards(const std::string& path,
                                  const std::function<bool(std::string_view)>& on_line) {
  const base::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.is_open() && errno == ENOENT) return {};
  struct stat info {};
  if (!fd.is_open() || ::fstat(fd.get(), &info) != 0) return io_error(path);
  std::uint64_t begin = static_cast<std::uint64_t>(std::max<off_t>(0, info.st_size));
  std::string held;      // from `begin` on, what has not been handed over
  bool has_end = false;  // behind `held` there is an end of line
  std::size_t piece = kFirstPiece;
  for (;;) {
    for (std::size_t end = held.rfind('\n'); end != std::string::npos; end = held.rfind('\n')) {
      if (has_end && !on_line(std::string_view(held).substr(end + 1))) return {};
      has_end = true;
      held.resize(end);
      piece = kFirstPiece;
    }
    if (begin == 0) break;
    if (held.size() > audit::kMaxLineBytes) return {};
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(piece, begin));
    std::string more;
    if (!read_at(fd.get(), begin - size, size, more)) return {};  // cut under our hands
    begin -= size;
    held.insert(0, more);
    piece = std::min(piece * 2, audit::kMaxLineBytes);
  }
  if (has_end && !held.empty()) on_line(held);
  return {};
}

}  // namespace leash::console
