#include "audit/log_turn.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>
#include <thread>

#include "base/text.h"

namespace leash::audit {
namespace {

// There is no flock() with a time limit, so it is asked for as often as this.
constexpr std::chrono::microseconds kLook{100};

base::Result<LogTurn> failed(const char* what) {
  return base::fail(base::Code::kIo, base::Fault::kProxy,
                    std::string(what) + ": " + base::errno_text(errno));
}

// Opening it anew gives rights that whoever handed it over may not have: with O_PATH a confined
// process gets a descriptor of any file, the CA's key for one. Only what make() makes will do: a
// file in memory, without a name.
bool is_turn(int fd) {
  struct stat info {};
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_PATH) == 0 && ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode) &&
         info.st_nlink == 0 && ::fcntl(fd, F_GET_SEALS) >= 0;
}

// A lock on the file's first byte, which is another one than flock()'s and, with OFD, the open
// file's as well.
bool set_next(int fd, short type) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_len = 1;
  return ::fcntl(fd, F_OFD_SETLK, &range) == 0;
}

}  // namespace

base::Result<LogTurn> LogTurn::make() {
  base::Fd fd(::memfd_create("leash-log-turn", MFD_CLOEXEC));
  if (!fd.is_open()) return failed("no lock for the log");
  return LogTurn(std::move(fd));
}

base::Result<LogTurn> LogTurn::join(const base::Fd& theirs) {
  if (!is_turn(theirs.get())) {
    return base::fail(base::Code::kIo, base::Fault::kProxy,
                      "what was given as the lock of the log is none");
  }
  // A lock belongs to an open file, and a copy is the same one: it has to be opened anew.
  const std::string path = "/proc/self/fd/" + std::to_string(theirs.get());
  base::Fd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd.is_open()) return failed("the lock of the log cannot be shared");
  return LogTurn(std::move(fd));
}

std::optional<LogTurn::Hold> LogTurn::take(std::chrono::milliseconds at_most) const {
  const auto end = std::chrono::steady_clock::now() + at_most;
  const auto wait_for = [end](const auto& is_taken) {
    while (!is_taken()) {
      if (std::chrono::steady_clock::now() >= end) return false;
      std::this_thread::sleep_for(kLook);
    }
    return true;
  };
  // Whoever waits is the next one: a busy process, which wants the turn again as soon as it has
  // given it back, would have it always.
  const int fd = fd_.get();
  const bool is_mine = wait_for([fd] { return set_next(fd, F_WRLCK); }) &&
                       wait_for([fd] { return ::flock(fd, LOCK_EX | LOCK_NB) == 0; });
  set_next(fd, F_UNLCK);
  if (!is_mine) return std::nullopt;
  return Hold(fd);
}

LogTurn::Hold::~Hold() {
  if (fd_ >= 0) ::flock(fd_, LOCK_UN);
}

}  // namespace leash::audit
