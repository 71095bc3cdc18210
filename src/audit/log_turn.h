// Whose turn it is to write the log, while two processes write one (an upgrade).
#pragma once

#include <chrono>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/fd.h"

namespace leash::audit {

// A file without a name that each process has opened for itself, and locks while it writes: the
// kernel takes the lock from whoever dies.
class LogTurn {
 public:
  // Errors: io.
  [[nodiscard]] static base::Result<LogTurn> make();
  // The turn that another process has made, from a copy of its descriptor. Errors: io; what is not
  // such a turn is refused, since that process may have been taken over.
  [[nodiscard]] static base::Result<LogTurn> join(const base::Fd& theirs);

  [[nodiscard]] int fd() const { return fd_.get(); }

  class Hold {
   public:
    ~Hold();
    Hold(Hold&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Hold& operator=(Hold&&) = delete;
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    friend class LogTurn;
    explicit Hold(int fd) : fd_(fd) {}
    int fd_;
  };
  // Waits for the other one, which holds it for as long as a batch takes. nullopt: it holds it for
  // longer than `at_most`, because it stands still or does not let go.
  [[nodiscard]] std::optional<Hold> take(std::chrono::milliseconds at_most) const;

 private:
  explicit LogTurn(base::Fd fd) : fd_(std::move(fd)) {}
  base::Fd fd_;
};

}  // namespace leash::audit
