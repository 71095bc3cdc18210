#include "audit/syslog_sink.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "audit/chain.h"
#include "audit/quiet_thread.h"
#include "base/free_with.h"
#include "base/text.h"

namespace leash::audit {
namespace {

using std::chrono::milliseconds;
using Transport = base::SyslogTarget::Transport;

constexpr std::size_t kInboxBytes = 4 * 1024 * 1024;
constexpr std::size_t kStreamBytes = 64 * 1024;    // framed ahead
constexpr std::size_t kDatagramBytes = 60 * 1000;  // fits into a UDP datagram with its head
constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{10'000};
constexpr milliseconds kConnectTime{5'000};
constexpr milliseconds kGrace{1'000};
constexpr unsigned kUnansweredMs = 30'000;
constexpr std::chrono::seconds kTellEvery{10};

std::string hostname() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return {};
  return name.data();
}

int milliseconds_until(std::chrono::steady_clock::time_point when) {
  const auto left =
      std::chrono::ceil<milliseconds>(when - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<long>(left, 0, 60'000));
}

}  // namespace

SyslogSink::SyslogSink(base::SyslogTarget target, std::size_t backlog_bytes)
    : target_(std::move(target)),
      format_(hostname(), ::getpid()),
      inbox_(kInboxBytes),
      losses_("syslog " + target_.text()),
      backlog_(backlog_bytes),
      pause_(kFirstPause),
      thread_(quiet_thread("leash-syslog", [this] { run(); })) {}

SyslogSink::~SyslogSink() {
  inbox_.close();
  thread_.join();
}

void SyslogSink::run() {
  connect();
  Clock::time_point deadline = Clock::time_point::max();
  for (;;) {
    const bool is_closed = inbox_.is_closed();
    if (is_closed && deadline == Clock::time_point::max()) {
      take();
      deadline = Clock::now() + kGrace;
    }
    if (state_ == State::kUp) send();
    const bool is_done = backlog_.is_empty() && out_.empty();
    if (is_closed && (is_done || state_ == State::kDown || Clock::now() >= deadline)) return;
    std::array<pollfd, 2> fds{};
    // A closed inbox stays readable.
    fds[0] = {is_closed ? -1 : inbox_.fd(), POLLIN, 0};
    const bool wants_out = state_ == State::kConnecting || !is_done;
    // An unconnected end of a stream is seen by reading; a datagram socket has nothing to read.
    fds[1] = {fd_.is_open() ? fd_.get() : -1,
              static_cast<short>((wants_out ? POLLOUT : 0) | (is_datagram_ ? 0 : POLLIN)), 0};
    if (::poll(fds.data(), fds.size(), timeout_ms(is_closed)) < 0 && errno != EINTR) return;
    if (fds[0].revents != 0) take();
    if (state_ == State::kConnecting && (fds[1].revents != 0 || Clock::now() >= connect_until_)) {
      finish_connecting();
    } else if (state_ == State::kUp && (fds[1].revents & ~POLLOUT) != 0) {
      look_for_end();
    } else if (state_ == State::kDown && Clock::now() >= next_try_) {
      connect();
    }
  }
}

int SyslogSink::timeout_ms(bool is_closed) const {
  constexpr int kStep = 50;
  if (is_closed) return kStep;
  if (state_ == State::kDown) return milliseconds_until(next_try_);
  if (state_ == State::kConnecting) return milliseconds_until(connect_until_);
  return -1;
}

void SyslogSink::take() {
  for (const SharedBatch& batch : inbox_.take()) {
    const std::uint64_t lost = backlog_.offer(batch);
    lost_ += lost;
    losses_.add(lost);
  }
}

void SyslogSink::connect() {
  if (target_.transport == Transport::kUnix) {
    connect_unix();
  } else {
    connect_inet();
  }
}

void SyslogSink::connect_unix() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, target_.path.data(),
              std::min(target_.path.size(), sizeof address.sun_path - 1));
  int error = 0;
  // Which of the two it is, only the attempt tells.
  for (const int type : {SOCK_DGRAM, SOCK_STREAM}) {
    fd_ = base::Fd(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      set_datagram(type == SOCK_DGRAM);
      go_up();
      return;
    }
    error = errno;
    if (error != EPROTOTYPE) break;
  }
  go_down(base::errno_text(error));
}

void SyslogSink::connect_inet() {
  is_datagram_ = target_.transport == Transport::kUdp;
  addrinfo hints{};
  hints.ai_socktype = is_datagram_ ? SOCK_DGRAM : SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  // May wait for a name server; it is this sink alone that waits.
  const int failed = ::getaddrinfo(target_.server.host.text().c_str(),
                                   std::to_string(target_.server.port).c_str(), &hints, &list);
  if (failed != 0) {
    go_down(::gai_strerror(failed));
    return;
  }
  const std::unique_ptr<addrinfo, base::FreeWith<::freeaddrinfo>> owner(list);
  int error = ENOENT;
  for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
    fd_ = base::Fd(::socket(each->ai_family, each->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd_.is_open()) {
      error = errno;
      continue;
    }
    if (::connect(fd_.get(), each->ai_addr, each->ai_addrlen) == 0) {
      go_up();
      return;
    }
    error = errno;
    if (error == EINPROGRESS) {
      state_ = State::kConnecting;
      connect_until_ = Clock::now() + kConnectTime;
      return;
    }
  }
  go_down(base::errno_text(error));
}

void SyslogSink::finish_connecting() {
  int error = 0;
  socklen_t size = sizeof error;
  pollfd now{fd_.get(), POLLOUT, 0};
  if (::poll(&now, 1, 0) == 0) {
    error = ETIMEDOUT;
  } else if (::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
    error = errno;
  }
  if (error != 0) {
    go_down(base::errno_text(error));
  } else {
    go_up();
  }
}

// Framed for the other kind of socket, it cannot be sent; which is rare enough to lose it.
void SyslogSink::set_datagram(bool is_datagram) {
  if (is_datagram != is_datagram_ && !out_.empty()) {
    lost_ += ends_.size();
    losses_.add(ends_.size());
    out_.clear();
    ends_.clear();
  }
  is_datagram_ = is_datagram;
}

void SyslogSink::go_up() {
  if (target_.transport == Transport::kTcp) {
    // A daemon's machine that is gone shall not look alive for hours.
    const int yes = 1;
    const unsigned unanswered = kUnansweredMs;
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
    ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered, sizeof unanswered);
  }
  state_ = State::kUp;
  is_up_ = true;
  if (std::exchange(is_told_down_, false)) spdlog::info("syslog {} is back", target_.text());
}

void SyslogSink::go_down(const std::string& why) {
  fd_.reset();
  state_ = State::kDown;
  is_up_ = false;
  drop_sent();
  next_try_ = Clock::now() + pause_;
  pause_ = std::min(pause_ * 2, kLongestPause);
  if (!is_told_down_ && Clock::now() >= next_telling_) {
    is_told_down_ = true;
    next_telling_ = Clock::now() + kTellEvery;
    spdlog::warn("syslog {} cannot be reached, audit lines wait: {}", target_.text(), why);
  }
}

// Messages that went out whole go; one of which only a part went is sent again from its beginning.
void SyslogSink::drop_sent() {
  std::size_t whole = 0;
  std::size_t count = 0;
  for (const std::size_t end : ends_) {
    if (end > sent_) break;
    whole = end;
    ++count;
  }
  lines_ += count;
  out_.erase(0, whole);
  ends_.erase(ends_.begin(), ends_.begin() + static_cast<std::ptrdiff_t>(count));
  for (std::size_t& end : ends_) end -= whole;
  sent_ = 0;
}

std::string SyslogSink::framed(std::string_view line) const {
  if (is_datagram_) {
    std::string message = format_.message(line);
    if (message.size() <= kDatagramBytes) return message;
    const auto shorter = shorten_line(line);
    if (shorter) message = format_.message(*shorter);
    return message;
  }
  std::string message = format_.message(line);
  if (target_.transport == Transport::kTcp) {
    return std::to_string(message.size()) + " " + message;
  }
  return message + "\n";
}

// Frames what comes next. False where there is nothing.
bool SyslogSink::fill() {
  const std::size_t most = is_datagram_ ? 1 : kStreamBytes;
  out_.clear();
  ends_.clear();
  sent_ = 0;
  while (!backlog_.is_empty() && out_.size() < most) {
    const std::string_view front = backlog_.front();
    const std::string_view line = front.substr(0, front.find('\n'));
    std::string message = framed(line);
    if (is_datagram_ && message.size() > kDatagramBytes) {
      const auto chained = split_line(line);
      const std::uint64_t seq = chained ? chained->seq : 0;
      std::string gap = gap_line(seq, seq);
      gap.pop_back();
      message = framed(gap);
      ++lost_;
      losses_.add(1);
    }
    out_.append(message);
    ends_.push_back(out_.size());
    backlog_.consume(std::min(line.size() + 1, front.size()));
  }
  return !out_.empty();
}

void SyslogSink::send() {
  while (!out_.empty() || fill()) {
    const std::string_view rest = std::string_view(out_).substr(sent_);
    const ssize_t count = ::send(fd_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return;
      if (is_refused_datagram(errno)) continue;
      if (errno == EMSGSIZE) {  // the daemon's socket takes less still
        ++lost_;
        losses_.add(1);
        out_.clear();
        ends_.clear();
        continue;
      }
      go_down(base::errno_text(errno));
      return;
    }
    pause_ = kFirstPause;
    sent_ += static_cast<std::size_t>(count);
    if (sent_ < out_.size()) continue;
    lines_ += ends_.size();
    out_.clear();
    ends_.clear();
    sent_ = 0;
  }
}

// Over UDP nobody listens: the host said so of a datagram that was sent before. The next one may
// arrive, so this is no end of anything.
bool SyslogSink::is_refused_datagram(int error) {
  if (target_.transport != Transport::kUdp || error != ECONNREFUSED) return false;
  ++lost_;
  losses_.add(1);
  return true;
}

void SyslogSink::look_for_end() {
  if (is_datagram_) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (is_refused_datagram(error)) return;
    // POLLHUP of a unix datagram socket has no error with it.
    go_down(error != 0 ? base::errno_text(error) : "closed");
    return;
  }
  std::array<char, 4096> bytes{};
  const ssize_t count = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
  if (count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR))) return;
  go_down(count == 0 ? "closed by the daemon" : base::errno_text(errno));
}

}  // namespace leash::audit
