#include "insight/small_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"
#include "base/text.h"

namespace leash::insight {
namespace {

tl::unexpected<base::Error> io_error(const std::string& path, const std::string& what) {
  return base::fail(base::Code::kIo, base::Fault::kProxy, path + ": " + what);
}

}  // namespace

base::Result<std::string> read_small_file(const std::string& path, std::size_t max_bytes) {
  const base::Fd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!fd.is_open()) return io_error(path, base::errno_text(errno));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return io_error(path, base::errno_text(errno));
  if (!S_ISREG(status.st_mode)) return io_error(path, "not a regular file");
  std::string bytes;
  char block[16 * 1024];
  for (;;) {
    const ssize_t count = ::read(fd.get(), block, sizeof block);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return io_error(path, base::errno_text(errno));
    if (count == 0) return bytes;
    bytes.append(block, static_cast<std::size_t>(count));
    if (bytes.size() > max_bytes) return io_error(path, "too large");
  }
}

}  // namespace leash::insight
