#include "control/sd_notify.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/text.h"

namespace leash::control {
namespace {

constexpr std::uint64_t kMaxInherited = 64;

std::string_view find(const Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  return found == environment.end() ? std::string_view{} : std::string_view{found->second};
}

bool is_this_process(std::string_view pid) {
  return base::parse_decimal(pid) == static_cast<std::uint64_t>(::getpid());
}

tl::unexpected<base::Error> bad_config(std::string detail) {
  return base::fail(base::Code::kBadConfig, base::Fault::kProxy, std::move(detail));
}

bool is_listening(int fd) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value != 0;
}

}  // namespace

SdNotify::SdNotify(const Environment& environment) : path_(find(environment, "NOTIFY_SOCKET")) {
  const bool is_usable = path_.size() > 1 && path_.size() < sizeof(sockaddr_un::sun_path) &&
                         (path_[0] == '/' || path_[0] == '@');
  if (!is_usable) {
    path_.clear();
    return;
  }
  socket_ = base::Fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto pid = find(environment, "WATCHDOG_PID");
  if (!pid.empty() && !is_this_process(pid)) return;
  constexpr std::uint64_t kLongest = 24ULL * 3600 * 1'000'000;
  const auto micros = base::parse_decimal(find(environment, "WATCHDOG_USEC"));
  if (!micros || *micros == 0) return;
  interval_ =
      std::chrono::milliseconds(std::max<std::uint64_t>(std::min(*micros, kLongest) / 2000, 1));
}

bool SdNotify::ready() { return send("READY=1"); }

bool SdNotify::stopping() { return send("STOPPING=1"); }

bool SdNotify::reloading() {
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now().time_since_epoch());
  return send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now.count()));
}

bool SdNotify::hand_over(pid_t pid) { return send(fmt::format("MAINPID={}", pid)); }

bool SdNotify::watchdog() { return send("WATCHDOG=1"); }

bool SdNotify::status(std::string_view text) {
  std::string line(text);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r' || c == '\0'; }, ' ');
  return send("STATUS=" + line);
}

std::optional<std::chrono::milliseconds> SdNotify::watchdog_interval() const { return interval_; }

bool SdNotify::send(const std::string& message) {
  if (path_.empty() || !socket_.is_open()) return false;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path_.data(), path_.size());
  if (path_[0] == '@') address.sun_path[0] = '\0';
  // The length of an abstract name is its end; a path may go without its NUL as well.
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size());
  return ::sendto(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL,
                  reinterpret_cast<const sockaddr*>(&address),
                  size) == static_cast<ssize_t>(message.size());
}

base::Result<std::vector<InheritedSocket>> take_inherited_sockets(const Environment& environment,
                                                                  int first_fd) {
  std::vector<InheritedSocket> sockets;
  const auto count_text = find(environment, "LISTEN_FDS");
  if (count_text.empty() || !is_this_process(find(environment, "LISTEN_PID"))) return sockets;
  const auto count = base::parse_decimal(count_text, kMaxInherited);
  if (!count) {
    return bad_config(fmt::format("LISTEN_FDS is no number up to {}", kMaxInherited));
  }
  auto names = find(environment, "LISTEN_FDNAMES");
  for (int fd = first_fd; fd < first_fd + static_cast<int>(*count); ++fd) {
    InheritedSocket& socket = sockets.emplace_back();
    const int flags = ::fcntl(fd, F_GETFD);
    if (flags < 0) return bad_config(fmt::format("descriptor {} of LISTEN_FDS is closed", fd));
    socket.fd = base::Fd(fd);
    if (!is_listening(fd)) {
      return bad_config(fmt::format("descriptor {} of LISTEN_FDS does not listen", fd));
    }
    ::fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    const auto colon = std::min(names.find(':'), names.size());
    socket.name = names.substr(0, colon);
    names.remove_prefix(std::min(colon + 1, names.size()));
  }
  return sockets;
}

}  // namespace leash::control
