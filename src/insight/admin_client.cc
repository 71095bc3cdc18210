#include "insight/admin_client.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/fd.h"
#include "base/ip_address.h"
#include "base/text.h"

namespace leash::insight {
namespace {

using base::Code;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxAnswerBytes = 64 * 1024;

tl::unexpected<base::Error> refuse(Code code, std::string detail) {
  return base::fail(code, base::Fault::kProxy, std::move(detail));
}

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

base::Result<Address> unix_address(std::string_view path) {
  sockaddr_un address{};
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return refuse(Code::kBadConfig, "the admin socket's path is empty or too long");
  }
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  Address out;
  std::memcpy(&out.storage, &address, sizeof address);
  out.length = sizeof address;
  return out;
}

base::Result<Address> tcp_address(std::string_view text) {
  const auto parsed = base::SocketAddress::parse(text);
  if (!parsed) return refuse(Code::kBadConfig, "not an admin address: " + std::string(text));
  Address out;
  if (parsed->ip.is_v4()) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(parsed->port);
    const std::uint32_t ip = parsed->ip.v4_value();
    address.sin_addr.s_addr = htonl(ip == INADDR_ANY ? INADDR_LOOPBACK : ip);
    std::memcpy(&out.storage, &address, sizeof address);
    out.length = sizeof address;
    return out;
  }
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(parsed->port);
  if (parsed->ip == base::IpAddress::v6({})) {
    address.sin6_addr = in6addr_loopback;
  } else {
    std::memcpy(&address.sin6_addr, parsed->ip.bytes().data(), sizeof address.sin6_addr);
  }
  std::memcpy(&out.storage, &address, sizeof address);
  out.length = sizeof address;
  return out;
}

base::Result<Address> parse_address(std::string_view text) {
  constexpr std::string_view kUnix = "unix:";
  return text.starts_with(kUnix) ? unix_address(text.substr(kUnix.size())) : tcp_address(text);
}

// Until `fd` is ready for `events`. Errors: timeout, connect_failed.
base::Result<void> await(int fd, short events, Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return refuse(Code::kTimeout, "no answer in time");
    pollfd entry{fd, events, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(std::min<decltype(left)>(left, 60'000)));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return refuse(Code::kConnectFailed, base::errno_text(errno));
  }
}

base::Result<base::Fd> connect_to(const Address& address, Clock::time_point deadline) {
  base::Fd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return refuse(Code::kConnectFailed, base::errno_text(errno));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) ==
      0) {
    return fd;
  }
  if (errno != EINPROGRESS) return refuse(Code::kConnectFailed, base::errno_text(errno));
  if (auto ready = await(fd.get(), POLLOUT, deadline); !ready) return tl::unexpected(ready.error());
  int error = 0;
  socklen_t length = sizeof error;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  if (error != 0) return refuse(Code::kConnectFailed, base::errno_text(error));
  return fd;
}

base::Result<void> send_all(int fd, std::string_view bytes, Clock::time_point deadline) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      if (auto ready = await(fd, POLLOUT, deadline); !ready) return ready;
    } else if (errno != EINTR) {
      return refuse(Code::kConnectFailed, base::errno_text(errno));
    }
  }
  return {};
}

// Up to the end of the connection or the limit.
base::Result<std::string> receive_all(int fd, Clock::time_point deadline) {
  std::string answer;
  char block[4096];
  while (answer.size() < kMaxAnswerBytes) {
    const ssize_t count = ::recv(fd, block, sizeof block, 0);
    if (count > 0) {
      answer.append(block, static_cast<std::size_t>(count));
    } else if (count == 0) {
      break;
    } else if (errno == EAGAIN) {
      if (auto ready = await(fd, POLLIN, deadline); !ready) return tl::unexpected(ready.error());
    } else if (errno != EINTR) {
      return refuse(Code::kConnectFailed, base::errno_text(errno));
    }
  }
  return answer;
}

base::Result<AdminAnswer> parse_answer(const std::string& answer) {
  const auto head_end = answer.find("\r\n\r\n");
  if (head_end == std::string::npos) {
    return refuse(Code::kClosedEarly, "the answer is not whole");
  }
  // "HTTP/1.x NNN"
  const std::string_view line = std::string_view(answer).substr(0, answer.find("\r\n"));
  if (line.size() < 12 || !line.starts_with("HTTP/1.") || line[8] != ' ') {
    return refuse(Code::kBadStatusLine, "the answer is not HTTP");
  }
  const auto status = base::parse_decimal(line.substr(9, 3), 599);
  if (!status) return refuse(Code::kBadStatusLine, "the answer is not HTTP");
  return AdminAnswer{static_cast<int>(*status), answer.substr(head_end + 4)};
}

}  // namespace

base::Result<void> try_connect(const std::string& address, std::chrono::milliseconds timeout) {
  const auto parsed = parse_address(address);
  if (!parsed) return tl::unexpected(parsed.error());
  const auto fd = connect_to(*parsed, Clock::now() + timeout);
  if (!fd) return tl::unexpected(fd.error());
  return {};
}

base::Result<AdminAnswer> admin_get(const std::string& admin, std::string_view path,
                                    std::chrono::milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  const auto address = parse_address(admin);
  if (!address) return tl::unexpected(address.error());
  const auto fd = connect_to(*address, deadline);
  if (!fd) return tl::unexpected(fd.error());
  const std::string request =
      "GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  if (auto sent = send_all(fd->get(), request, deadline); !sent) {
    return tl::unexpected(sent.error());
  }
  const auto answer = receive_all(fd->get(), deadline);
  if (!answer) return tl::unexpected(answer.error());
  return parse_answer(*answer);
}

}  // namespace leash::insight
