#include "net/dialer.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/text.h"
#include "net/event_handle.h"
#include "net/sockaddr.h"

namespace leash::net {
namespace {

constexpr std::chrono::milliseconds kAttemptDelay{250};  // RFC 8305 s. 5
// A name may have any number of addresses that never answer, and each attempt takes a descriptor.
constexpr std::size_t kMostAtOnce = 4;

using Done = std::function<void(base::Result<Dialled>)>;

class Dial final : public Pending {
 public:
  Dial(Loop& loop, std::vector<base::SocketAddress> addresses, std::chrono::milliseconds timeout,
       Done done)
      : loop_(loop),
        addresses_(std::move(addresses)),
        done_(std::move(done)),
        next_(loop, [this] { start_next(); }),
        limit_(loop, [this] { too_late(); }),
        report_(loop, [this] { report(); }) {
    limit_.start(timeout);
    start_next();
  }

 private:
  struct Attempt {
    Dial* dial = nullptr;
    base::SocketAddress address;
    base::Fd fd;
    EventPtr writable;  // last: gone before the descriptor is closed

    static void on_writable(evutil_socket_t, short, void* self) noexcept {
      auto* attempt = static_cast<Attempt*>(self);
      attempt->dial->answered(*attempt);
    }
  };

  // The next address that does not fail at once, if there is one.
  void start_next() {
    while (started_ < addresses_.size() && running_.size() < kMostAtOnce) {
      if (start(addresses_[started_++])) {
        if (started_ < addresses_.size()) next_.start(kAttemptDelay);
        return;
      }
    }
    next_.stop();
    if (running_.empty()) report_.start(std::chrono::milliseconds(0));
  }

  bool start(const base::SocketAddress& address) {
    const RawAddress raw = to_raw(address);
    auto attempt = std::make_unique<Attempt>();
    attempt->dial = this;
    attempt->address = address;
    attempt->fd =
        base::Fd(::socket(raw.get()->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!attempt->fd.is_open() ||
        (::connect(attempt->fd.get(), raw.get(), raw.size) != 0 && errno != EINPROGRESS)) {
      note_failure(address, errno);
      return false;
    }
    attempt->writable =
        new_event(loop_.base(), attempt->fd.get(), EV_WRITE, &Attempt::on_writable, attempt.get());
    event_add(attempt->writable.get(), nullptr);
    running_.push_back(std::move(attempt));
    return true;
  }

  void answered(Attempt& attempt) {
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(attempt.fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error == 0) error = wrong_peer(attempt);
    if (error == 0) {
      won_ = Dialled{std::move(attempt.fd), attempt.address};
      attempt.writable.reset();
      report();
      return;
    }
    note_failure(attempt.address, error);
    std::erase_if(running_, [&](const auto& other) { return other.get() == &attempt; });
    start_next();
  }

  // The checked address must be the one that answers. A port of our own ephemeral range may connect
  // to itself.
  static int wrong_peer(const Attempt& attempt) {
    const auto peer = peer_address(attempt.fd.get());
    if (!peer) return ENOTCONN;
    const auto own = local_address(attempt.fd.get());
    if (own == peer) return ECONNREFUSED;
    // Mapped addresses come back as IPv4: compare what the kernel makes of ours.
    return *peer == from_raw(to_raw(attempt.address)) ? 0 : EADDRNOTAVAIL;
  }

  void note_failure(const base::SocketAddress& address, int error) {
    failure_ = fmt::format("{}: {}", address.text(), base::errno_text(error));
  }

  void too_late() {
    std::string waiting;
    for (const auto& attempt : running_) {
      waiting += fmt::format("{}{}", waiting.empty() ? "" : ", ", attempt->address.text());
      if (waiting.size() > 200) break;
    }
    is_late_ = true;
    failure_ = waiting.empty() ? failure_ : fmt::format("no answer from {}", waiting);
    report();
  }

  // The callback may destroy the dial.
  void report() {
    limit_.stop();
    next_.stop();
    report_.stop();
    running_.clear();
    const auto done = std::exchange(done_, nullptr);
    if (!done) return;
    if (won_.fd.is_open()) {
      done(std::move(won_));
    } else if (is_late_) {
      done(base::fail(base::Code::kConnectTimeout, base::Fault::kOrigin, std::move(failure_)));
    } else {
      if (failure_.empty()) failure_ = "no address to connect to";
      done(base::fail(base::Code::kConnectFailed, base::Fault::kOrigin, std::move(failure_)));
    }
  }

  Loop& loop_;
  const std::vector<base::SocketAddress> addresses_;
  Done done_;
  std::size_t started_ = 0;
  std::string failure_;  // the last one
  bool is_late_ = false;
  Dialled won_;
  std::vector<std::unique_ptr<Attempt>> running_;
  Timer next_;
  Timer limit_;
  Timer report_;
};

}  // namespace

std::unique_ptr<Pending> dial(Loop& loop, std::vector<base::SocketAddress> addresses,
                              std::chrono::milliseconds timeout, Done done) {
  return std::make_unique<Dial>(loop, std::move(addresses), timeout, std::move(done));
}

}  // namespace leash::net
