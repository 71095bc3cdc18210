#include "net/listener.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "net/event_handle.h"
#include "net/sockaddr.h"

namespace leash::net {
namespace {

constexpr int kBacklog = 4096;  // the kernel cuts it to net.core.somaxconn
constexpr int kAcceptsPerWakeup = 64;
constexpr std::chrono::milliseconds kBackOff{100};

bool set_option(int fd, int level, int name) {
  const int on = 1;
  return ::setsockopt(fd, level, name, &on, sizeof on) == 0;
}

tl::unexpected<base::Error> cannot_listen(const std::string& where, const std::string& why) {
  return base::fail(base::Code::kIo, base::Fault::kProxy,
                    fmt::format("cannot listen on {}: {}", where, why));
}

bool is_out_of_descriptors(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

Peer peer_of(int fd, const RawAddress& raw) {
  Peer peer;
  if (raw.get()->sa_family != AF_UNIX) {
    peer.address = from_raw(raw).value_or(base::SocketAddress{});
    return peer;
  }
  peer.is_unix = true;
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0) {
    peer.uid = credentials.uid;
  }
  return peer;
}

base::Result<void> remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return cannot_listen(path, base::errno_text(errno));
  }
  if (!S_ISSOCK(info.st_mode)) return cannot_listen(path, "there is a file which is not a socket");
  const base::Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe.is_open()) return cannot_listen(path, base::errno_text(errno));
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
      errno != ECONNREFUSED) {
    return cannot_listen(path, base::errno_text(EADDRINUSE));
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return cannot_listen(path, base::errno_text(errno));
  }
  return {};
}

}  // namespace

base::Result<Bound> listen_tcp(const base::SocketAddress& address, Exclusive exclusive) {
  const std::string where = address.text();
  const RawAddress raw = to_raw(address);
  base::Fd fd(::socket(raw.get()->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.is_open()) return cannot_listen(where, base::errno_text(errno));
  // REUSEADDR: a restart must not wait for connections in TIME_WAIT.
  bool is_set = set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR);
  if (raw.get()->sa_family == AF_INET6) {
    is_set = set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY) && is_set;
  }
  // Set before bind, the port may be shared with those who are there; set after it, only with those
  // who come.
  if (exclusive == Exclusive::kNo) {
    is_set = set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT) && is_set;
  }
  if (!is_set || ::bind(fd.get(), raw.get(), raw.size) != 0) {
    return cannot_listen(where, base::errno_text(errno));
  }
  if (exclusive == Exclusive::kYes) is_set = set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT);
  if (!is_set || ::listen(fd.get(), kBacklog) != 0) {
    return cannot_listen(where, base::errno_text(errno));
  }
  const auto bound = local_address(fd.get());
  if (!bound) return cannot_listen(where, "its address cannot be read");
  return Bound{std::move(fd), *bound};
}

base::Result<BoundUnix> listen_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path ||
      path.find('\0') != std::string::npos) {
    return cannot_listen("the socket path", "empty, too long or with a NUL");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  if (auto removed = remove_stale(path, address); !removed) {
    return tl::unexpected(std::move(removed.error()));
  }
  base::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.is_open()) return cannot_listen(path, base::errno_text(errno));
  constexpr mode_t kMode = S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP;
  // The file takes the descriptor's mode less the umask; chmod then gives back what the umask took.
  if (::fchmod(fd.get(), kMode) != 0 ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return cannot_listen(path, base::errno_text(errno));
  }
  SocketFile file(path);
  if (::chmod(path.c_str(), kMode) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    return cannot_listen(path, base::errno_text(errno));
  }
  return BoundUnix{std::move(fd), std::move(file)};
}

base::Result<base::Endpoint> endpoint_of(int fd) {
  RawAddress raw;
  raw.size = sizeof raw.storage;
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockname(fd, raw.get(), &raw.size) == 0 &&
      ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM) {
    if (raw.get()->sa_family == AF_UNIX) {
      sockaddr_un address{};
      std::memcpy(&address, raw.get(), sizeof address);
      address.sun_path[sizeof address.sun_path - 1] = '\0';
      if (address.sun_path[0] == '/') return base::Endpoint{.tcp = {}, .path = address.sun_path};
    } else if (const auto address = from_raw(raw); address) {
      return base::Endpoint{.tcp = *address, .path = {}};
    }
  }
  return base::fail(base::Code::kBadConfig, base::Fault::kProxy,
                    "an inherited socket is neither TCP nor a unix stream socket with a path");
}

struct Listener::Impl {
  base::Fd fd;
  Accept accept;
  base::Fd reserve;  // given up to accept, and so to close, connections when descriptors run out
  bool* is_gone = nullptr;  // set while accepting: the callback may destroy the listener
  Timer back_off;
  EventPtr readable;

  Impl(Loop& loop, base::Fd the_fd, Accept the_accept)
      : fd(std::move(the_fd)),
        accept(std::move(the_accept)),
        back_off(loop, [this] { event_add(readable.get(), nullptr); }),
        readable(new_event(loop.base(), fd.get(), EV_READ | EV_PERSIST, &on_readable, this)) {
    refill_reserve();
    event_add(readable.get(), nullptr);
  }
  ~Impl() {
    if (is_gone != nullptr) *is_gone = true;
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  static void on_readable(evutil_socket_t, short, void* self) noexcept {
    static_cast<Impl*>(self)->accept_some();
  }

  void refill_reserve() {
    if (!reserve.is_open()) reserve = base::Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  }

  void accept_some() {
    bool gone = false;
    is_gone = &gone;
    for (int i = 0; i < kAcceptsPerWakeup; ++i) {
      RawAddress raw;
      raw.size = sizeof raw.storage;
      base::Fd connection(::accept4(fd.get(), raw.get(), &raw.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!connection.is_open()) {
        const int error = errno;
        if (error == EAGAIN || error == EWOULDBLOCK) break;
        if (is_out_of_descriptors(error)) {
          shed(error);
          break;
        }
        continue;  // this connection died while it waited (accept(2): go on with the next)
      }
      const Peer peer = peer_of(connection.get(), raw);
      accept(std::move(connection), peer);
      if (gone) return;
    }
    is_gone = nullptr;
  }

  // Those who wait see an end at once instead of hanging in the backlog.
  void shed(int error) {
    int count = 0;
    while (reserve.is_open() && count < kAcceptsPerWakeup) {
      reserve.reset();
      base::Fd victim(::accept4(fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      const bool was_last = !victim.is_open();
      victim.reset();
      refill_reserve();
      if (was_last) break;
      ++count;
    }
    refill_reserve();
    spdlog::warn("cannot accept: {}; {} connections closed, next try in {} ms",
                 base::errno_text(error), count, kBackOff.count());
    event_del(readable.get());
    back_off.start(kBackOff);
  }
};

Listener::Listener(Loop& loop, base::Fd fd, Accept accept)
    : impl_(std::make_unique<Impl>(loop, std::move(fd), std::move(accept))) {}

Listener::~Listener() = default;

}  // namespace leash::net
