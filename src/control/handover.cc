#include "control/handover.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <optional>

#include "base/log.h"
#include "base/text.h"

namespace leash::control {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Fault;

constexpr std::size_t kMaxMessageBytes = 8 * 1024;
constexpr std::size_t kMostListeners = 4096;
constexpr std::size_t kMostAncestors = 64;
constexpr std::chrono::seconds kMostTime{60};  // from its first word to its serving
constexpr std::string_view kVersion = "leash handover 2";

// Types of messages.
constexpr char kAbout = 'A';     // lines: version, run, log, notify socket, watchdog, activated
constexpr char kListener = 'l';  // each with a descriptor, down to kAncestor
constexpr char kAdmin = 'a';
constexpr char kAuditSocket = 's';
constexpr char kHandover = 'h';
constexpr char kTurn = 't';
constexpr char kAncestor = 'p';
constexpr char kEnd = 'E';
constexpr char kBusy = 'B';
constexpr char kReady = 'R';
constexpr char kGo = 'G';
constexpr char kServing = 'S';
constexpr char kYours = 'Y';
constexpr char kDone = 'D';
constexpr char kGaveUp = 'X';

tl::unexpected<base::Error> failed(std::string why) {
  return base::fail(Code::kIo, Fault::kProxy, "upgrade: " + std::move(why));
}

struct Message {
  std::string text;  // "" at the end of the connection
  base::Fd fd;
};

bool send_message(int to, std::string_view text, int fd = -1) {
  iovec piece{const_cast<char*>(text.data()), text.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  if (fd >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(head), &fd, sizeof fd);
  }
  return ::sendmsg(to, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

// nullopt: an error, errno says which.
std::optional<Message> receive_message(int from, int flags) {
  Message out;
  out.text.resize(kMaxMessageBytes);
  iovec piece{out.text.data(), out.text.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t got = -1;
  do {
    got = ::recvmsg(from, &message, MSG_CMSG_CLOEXEC | flags);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return std::nullopt;
  out.text.resize(static_cast<std::size_t>(got));
  const cmsghdr* const head = CMSG_FIRSTHDR(&message);
  if (head != nullptr && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
      head->cmsg_len == CMSG_LEN(sizeof(int))) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(head), sizeof fd);
    out.fd = base::Fd(fd);
  }
  return out;
}

// Of this user, or root.
std::optional<ucred> trusted_peer(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  if (peer.uid != ::geteuid() && peer.uid != 0) return std::nullopt;
  return peer;
}

std::optional<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return std::nullopt;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

constexpr std::string_view kNewcomer = "heir.";

// A newcomer's socket with a name beside `path`, which need not last: the kernel keeps it with the
// socket.
base::Result<base::Fd> named_socket(const std::string& path) {
  std::error_code error;
  const fs::path folder = fs::absolute(path, error).parent_path();
  const std::string name = folder / fmt::format("{}{}", kNewcomer, ::getpid());
  const auto address = address_of(name);
  if (error || !address) return failed(name + " is too long for a socket");
  base::Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  ::unlink(name.c_str());  // of one that was killed just here, long ago
  const bool is_bound =
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0;
  const int why = errno;
  ::unlink(name.c_str());
  if (!is_bound) return failed(name + ": " + base::errno_text(why));
  return fd;
}

// Whether the socket at the other end was made in `folder`.
bool is_made_in(const std::string& folder, int fd) {
  sockaddr_un address{};
  socklen_t size = sizeof address;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return false;
  const fs::path path(
      std::string(address.sun_path, ::strnlen(address.sun_path, sizeof address.sun_path)));
  struct stat theirs {};
  struct stat ours {};
  return size > offsetof(sockaddr_un, sun_path) && path.is_absolute() &&
         path.filename().string().starts_with(kNewcomer) &&
         ::stat(path.parent_path().c_str(), &theirs) == 0 && ::stat(folder.c_str(), &ours) == 0 &&
         theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

std::string about(const Estate& estate) {
  return fmt::format("{}{}\n{}\n{}\n{}\n{}\n{}\n", kAbout, kVersion, estate.run_id, estate.log,
                     estate.notify_socket, estate.watchdog_usec, estate.is_activated ? 1 : 0);
}

bool read_about(std::string_view text, Estate& estate) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return false;
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  if (lines.size() != 6 || lines[0] != kVersion) return false;
  estate.run_id = lines[1];
  estate.log = lines[2];
  estate.notify_socket = lines[3];
  estate.watchdog_usec = lines[4];
  estate.is_activated = lines[5] == "1";
  const bool is_hex = estate.run_id.find_first_not_of("0123456789abcdef") == std::string::npos;
  return is_hex && estate.run_id.size() <= 64;
}

bool take_descriptor(char type, base::Fd fd, Estate& estate) {
  if (!fd.is_open()) return false;
  switch (type) {
    case kListener:
      if (estate.listeners.size() >= kMostListeners) return false;
      estate.listeners.push_back(std::move(fd));
      return true;
    case kAdmin:
      estate.admin = std::move(fd);
      return true;
    case kAuditSocket:
      estate.audit_socket = std::move(fd);
      return true;
    case kHandover:
      estate.handover = std::move(fd);
      return true;
    case kTurn:
      estate.turn = std::move(fd);
      return true;
    case kAncestor:
      if (estate.ancestors.size() >= kMostAncestors) return false;
      estate.ancestors.push_back(std::move(fd));
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string handover_path(const std::string& ca_dir) { return ca_dir + "/upgrade.sock"; }

base::Result<void> expect_nobody(const std::string& path) {
  const auto address = address_of(path);
  if (!address) return {};  // nobody could be there
  const base::Fd probe(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const bool is_answered =
      ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0;
  // One that has been replaced accepts nobody, so they may queue up: EAGAIN.
  if (!is_answered && errno != EAGAIN) return {};
  return base::fail(Code::kBadConfig, Fault::kProxy,
                    "another leash with this CA runs (" + path +
                        " answers), and two would write one log: take its place with --upgrade, or "
                        "stop it first. One that has been replaced ends by itself");
}

base::Result<base::Fd> listen_for_successor(const std::string& path) {
  const auto address = address_of(path);
  if (!address) return failed(path + " is too long for a socket");
  if (auto nobody = expect_nobody(path); !nobody) return tl::unexpected(nobody.error());
  base::Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.is_open()) return failed(base::errno_text(errno));
  ::unlink(path.c_str());  // of one that has ended
  constexpr mode_t kMode = 0600;
  if (::fchmod(fd.get(), kMode) != 0 ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
      ::listen(fd.get(), 4) != 0) {
    return failed(path + ": " + base::errno_text(errno));
  }
  return fd;
}

base::Result<Successor> Successor::connect(const std::string& path,
                                           std::chrono::milliseconds patience) {
  Successor out;
  const auto address = address_of(path);
  if (!address) return failed(path + " is too long for a socket");
  auto made = named_socket(path);
  if (!made) return tl::unexpected(made.error());
  out.connection_ = std::move(*made);
  const int fd = out.connection_.get();
  const auto micros = std::chrono::microseconds(patience).count();
  const timeval at_most{micros / 1'000'000, micros % 1'000'000};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &at_most, sizeof at_most);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
    return failed("no leash to take over from: " + path + ": " + base::errno_text(errno));
  }
  if (!trusted_peer(fd)) return failed(path + " is another user's");
  for (;;) {
    auto message = receive_message(fd, 0);
    if (!message || message->text.empty()) return failed("the old leash does not answer");
    const char type = message->text[0];
    const std::string_view rest = std::string_view(message->text).substr(1);
    if (type == kBusy) return failed("another upgrade is under way");
    if (type == kEnd) return out;
    const bool is_good = type == kAbout
                             ? read_about(rest, out.estate_)
                             : take_descriptor(type, std::move(message->fd), out.estate_);
    if (!is_good) return failed("the old leash speaks another language; restart it instead");
  }
}

base::Result<void> Successor::expect(char type) {
  const auto message = receive_message(connection_.get(), 0);
  if (!message || message->text.empty()) return failed("the old leash has broken off");
  if (message->text[0] == kGaveUp) return failed("the old leash has given up and goes on");
  if (message->text[0] != type) return failed("the old leash says what was not asked");
  return {};
}

base::Result<void> Successor::ready() {
  if (!send_message(connection_.get(), {&kReady, 1})) return failed(base::errno_text(errno));
  return expect(kGo);
}

base::Result<void> Successor::serving() {
  const int fd = connection_.get();
  (void)send_message(fd,
                     {&kServing, 1});  // where it cannot be sent, what is there to read says why
  auto message = receive_message(fd, 0);
  if (!message) {
    // Nobody serves where the old one gives way to a process that has given up, two where that goes
    // on although the other gave way. From here on the old one's `yours` cannot be sent; it may
    // have been before.
    ::shutdown(fd, SHUT_RD);
    message = receive_message(fd, MSG_DONTWAIT);
    if (!message || message->text.empty()) return failed("the old leash does not answer");
  }
  if (message->text.empty()) return {};  // it has ended
  if (message->text[0] == kGaveUp) return failed("the old leash has given up and goes on");
  if (message->text[0] != kYours) return failed("the old leash says what was not asked");
  (void)receive_message(fd, 0);  // `done`: where it does not come, the service is ours all the same
  return {};
}

Predecessor::Predecessor(net::Loop& loop, base::Fd listener, std::string ca_dir,
                         Callbacks callbacks)
    : loop_(loop),
      listener_(std::move(listener)),
      ca_dir_(std::move(ca_dir)),
      callbacks_(std::move(callbacks)),
      patience_(loop, [this] { give_up(); }),
      accepting_(std::make_unique<net::ReadWatch>(loop, listener_.get(), [this] { accept(); })),
      self_(std::make_shared<Predecessor*>(this)) {}

Predecessor::~Predecessor() { *self_ = nullptr; }

void Predecessor::accept() {
  base::Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd.is_open()) return;
  const auto peer = trusted_peer(fd.get());
  if (!peer) {
    spdlog::warn("upgrade: somebody else's process was turned away");
    return;
  }
  if (!is_made_in(ca_dir_, fd.get())) {
    spdlog::warn("upgrade: process {} was turned away: it may be one that was replaced", peer->pid);
    return;
  }
  if (stage_ != Stage::kIdle) {
    (void)send_message(fd.get(), {&kBusy, 1});
    return;
  }
  connection_ = std::move(fd);
  pid_ = peer->pid;
  stage_ = Stage::kOffered;
  patience_.start(kMostTime);
  reading_ = std::make_unique<net::ReadWatch>(loop_, connection_.get(), [this] { on_readable(); });
  offer();
}

// A connection that cannot take it all ends, and with it the attempt.
void Predecessor::offer() {
  const Estate estate = callbacks_.estate();
  const int to = connection_.get();
  bool is_sent = send_message(to, about(estate));
  const auto give = [&is_sent, to](char type, const base::Fd& fd) {
    if (fd.is_open()) is_sent = is_sent && send_message(to, {&type, 1}, fd.get());
  };
  for (const base::Fd& fd : estate.listeners) give(kListener, fd);
  give(kAdmin, estate.admin);
  give(kAuditSocket, estate.audit_socket);
  give(kHandover, listener_);
  give(kTurn, estate.turn);
  for (const base::Fd& fd : estate.ancestors) give(kAncestor, fd);
  if (!is_sent || !send_message(to, {&kEnd, 1})) {
    spdlog::error("upgrade: the sockets cannot be handed over: {}", base::errno_text(errno));
    give_up();
  }
}

void Predecessor::on_readable() {
  const auto message = receive_message(connection_.get(), MSG_DONTWAIT);
  if (!message && errno == EAGAIN) return;
  if (!message || message->text.empty()) {
    on_end();
    return;
  }
  on_message(message->text[0]);
}

void Predecessor::on_message(char type) {
  if (type == kReady && stage_ == Stage::kOffered) {
    spdlog::info("upgrade: process {} takes over", pid_);
    stage_ = Stage::kSharing;
    callbacks_.share([&loop = loop_, self = self_] {
      loop.post([self] {
        if (*self != nullptr && (*self)->stage_ == Stage::kSharing) {
          (void)send_message((*self)->connection_.get(), {&kGo, 1});
        }
      });
    });
  } else if (type == kServing && stage_ == Stage::kSharing) {
    // First, since one that has not waited cannot be told.
    if (!send_message(connection_.get(), {&kYours, 1})) {
      give_up();
      return;
    }
    stage_ = Stage::kServed;
    patience_.stop();
    loop_.bury(std::move(accepting_));
    callbacks_.retire(pid_);
    (void)send_message(connection_.get(), {&kDone, 1});
  } else if (stage_ != Stage::kServed) {
    give_up();
  }
}

// At once, and not by way of the connection's end: what the other one says meanwhile comes too
// late.
void Predecessor::give_up() {
  (void)send_message(connection_.get(), {&kGaveUp, 1});
  on_end();
}

void Predecessor::on_end() {
  patience_.stop();
  loop_.bury(std::move(reading_));
  const Stage before = std::exchange(stage_, Stage::kIdle);
  loop_.bury(std::make_unique<base::Fd>(std::move(connection_)));
  if (before == Stage::kServed) {
    stage_ = Stage::kGone;
    callbacks_.bereave();
    return;
  }
  spdlog::error("upgrade: process {} does not serve; this one goes on", pid_);
  if (before == Stage::kSharing) callbacks_.resume();
}

}  // namespace leash::control
