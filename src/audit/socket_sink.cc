#include "audit/socket_sink.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include "audit/quiet_thread.h"

namespace leash::audit {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kInboxBytes = 4 * 1024 * 1024;
constexpr std::chrono::seconds kGrace{1};
// Out of descriptors: the listener would be readable all the time.
constexpr int kPauseMs = 100;

}  // namespace

SocketSink::SocketSink(base::Fd listener, std::string path, Limits limits)
    : listener_(std::move(listener)),
      path_(std::move(path)),
      limits_(limits),
      inbox_(kInboxBytes),
      losses_("audit socket " + path_),
      thread_(quiet_thread("leash-socket", [this] { run(); })) {}

SocketSink::~SocketSink() {
  inbox_.close();
  thread_.join();
}

void SocketSink::run() {
  std::vector<pollfd> fds;
  Clock::time_point deadline = Clock::time_point::max();
  for (;;) {
    const bool is_closed = inbox_.is_closed();
    if (is_closed && deadline == Clock::time_point::max()) {
      distribute();
      deadline = Clock::now() + kGrace;
    }
    if (is_closed && (is_drained() || Clock::now() >= deadline)) {
      readers_.clear();
      peers_ = 0;
      return;
    }
    fds.clear();
    // A closed inbox stays readable.
    fds.push_back({is_closed ? -1 : inbox_.fd(), POLLIN, 0});
    fds.push_back({is_closed ? -1 : listener_.get(), POLLIN, 0});
    for (const auto& reader : readers_) {
      const int wanted =
          (reader->has_ended ? 0 : POLLIN) | (reader->backlog.is_empty() ? 0 : POLLOUT);
      fds.push_back({reader->fd.get(), static_cast<short>(wanted), 0});
    }
    if (::poll(fds.data(), fds.size(), is_closed ? kPauseMs : -1) < 0 && errno != EINTR) return;
    for (std::size_t i = 0; i + 2 < fds.size(); ++i) serve(*readers_[i], fds[i + 2].revents);
    if (fds[0].revents != 0) distribute();
    std::erase_if(readers_, [](const auto& reader) { return reader->is_gone; });
    if (fds[1].revents != 0) accept_all();
    peers_ = readers_.size();
  }
}

void SocketSink::accept_all() {
  for (;;) {
    base::Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd.is_open()) {
      if (errno == EMFILE || errno == ENFILE) ::poll(nullptr, 0, kPauseMs);
      return;
    }
    if (readers_.size() >= limits_.readers) {
      spdlog::warn("audit socket {}: {} readers are enough, another one was sent away", path_,
                   limits_.readers);
      continue;
    }
    readers_.push_back(std::make_unique<Reader>(std::move(fd), limits_.backlog_bytes));
  }
}

void SocketSink::distribute() {
  for (const SharedBatch& batch : inbox_.take()) {
    for (const auto& reader : readers_) {
      if (reader->is_gone) continue;
      const std::uint64_t lost = reader->backlog.offer(batch);
      lost_ += lost;
      losses_.add(lost);
    }
  }
  for (const auto& reader : readers_) send(*reader);
}

void SocketSink::serve(Reader& reader, short events) {
  if ((events & POLLIN) != 0) discard(reader);
  if ((events & POLLOUT) != 0) send(reader);
  if ((events & (POLLERR | POLLHUP | POLLNVAL)) != 0) reader.is_gone = true;
}

void SocketSink::discard(Reader& reader) {
  std::array<char, 4096> bytes{};
  const ssize_t count = ::recv(reader.fd.get(), bytes.data(), bytes.size(), 0);
  if (count == 0) reader.has_ended = true;
  if (count < 0 && errno != EAGAIN && errno != EINTR) reader.is_gone = true;
}

void SocketSink::send(Reader& reader) {
  while (!reader.is_gone && !reader.backlog.is_empty()) {
    const std::string_view bytes = reader.backlog.front();
    const ssize_t count = ::send(reader.fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0) {
      if (errno == EINTR) continue;
      reader.is_gone = errno != EAGAIN;
      return;
    }
    const std::string_view sent = bytes.substr(0, static_cast<std::size_t>(count));
    lines_ += static_cast<std::uint64_t>(std::count(sent.begin(), sent.end(), '\n'));
    reader.backlog.consume(sent.size());
  }
}

bool SocketSink::is_drained() const {
  return std::all_of(readers_.begin(), readers_.end(), [](const auto& reader) {
    return reader->is_gone || reader->backlog.is_empty();
  });
}

}  // namespace leash::audit
