#include "net/listener.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

#include "net/sockaddr.h"
#include "support/run_until.h"

using namespace std::chrono_literals;
using leash::base::Fd;
using leash::base::IpAddress;
using leash::base::SocketAddress;
using leash::net::BoundUnix;
using leash::net::Exclusive;
using leash::net::listen_tcp;
using leash::net::listen_unix;
using leash::net::Listener;
using leash::net::Loop;
using leash::net::Peer;
using leash::test::run_until;

namespace {

SocketAddress loopback(std::uint16_t port = 0) {
  return *SocketAddress::parse("127.0.0.1:" + std::to_string(port));
}

Fd connect_to(const SocketAddress& address) {
  const auto raw = leash::net::to_raw(address);
  Fd fd(::socket(raw.get()->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::connect(fd.get(), raw.get(), raw.size) == 0);
  return fd;
}

struct TempDir {
  std::filesystem::path path;
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "leash-net-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~TempDir() { std::filesystem::remove_all(path); }
};

Fd connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fd.reset();
  return fd;
}

bool is_at_end(const Fd& fd) {
  char byte = 0;
  return ::recv(fd.get(), &byte, 1, MSG_DONTWAIT) == 0;
}

}  // namespace

TEST_CASE("each connection comes with its peer's address, non-blocking") {
  Loop loop;
  auto bound = listen_tcp(loopback(), Exclusive::kYes);
  REQUIRE(bound);
  CHECK(bound->address.port != 0);
  std::vector<Fd> fds;
  std::vector<SocketAddress> peers;
  const Listener listener(loop, std::move(bound->fd), [&](Fd fd, const Peer& peer) {
    fds.push_back(std::move(fd));
    peers.push_back(peer.address);
  });
  std::vector<Fd> clients;
  for (int i = 0; i < 100; ++i) clients.push_back(connect_to(bound->address));
  CHECK(run_until(loop, [&] { return fds.size() == clients.size(); }));
  for (std::size_t i = 0; i < clients.size(); ++i) {
    CHECK(peers[i] == leash::net::local_address(clients[i].get()));
    CHECK((::fcntl(fds[i].get(), F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(fds[i].get(), F_GETFD) & FD_CLOEXEC) != 0);
  }
}

TEST_CASE("the first listener of an address is alone, the next ones share with it") {
  auto first = listen_tcp(loopback(), Exclusive::kYes);
  REQUIRE(first);
  const auto second = listen_tcp(first->address, Exclusive::kNo);
  REQUIRE(second);
  CHECK(second->address == first->address);
  const auto other = listen_tcp(first->address, Exclusive::kYes);
  REQUIRE_FALSE(other);
  CHECK(other.error().code == leash::base::Code::kIo);
  CHECK(other.error().detail ==
        "cannot listen on " + first->address.text() + ": Address already in use");
}

TEST_CASE("an address of another machine cannot be bound") {
  const auto bound = listen_tcp(*SocketAddress::parse("192.0.2.1:0"), Exclusive::kYes);
  REQUIRE_FALSE(bound);
  CHECK(bound.error().detail.starts_with("cannot listen on 192.0.2.1:0: "));
}

TEST_CASE("IPv6 listens on IPv6 alone") {
  auto six = listen_tcp(*SocketAddress::parse("[::]:0"), Exclusive::kYes);
  if (!six) return;  // a machine without IPv6
  auto four = listen_tcp({IpAddress::v4(0), six->address.port}, Exclusive::kYes);
  // Somebody else may have that port in IPv4.
  for (int i = 0; !four && i < 100; ++i) {
    six = listen_tcp(*SocketAddress::parse("[::]:0"), Exclusive::kYes);
    REQUIRE(six);
    four = listen_tcp({IpAddress::v4(0), six->address.port}, Exclusive::kYes);
  }
  CHECK(four);
  Loop loop;
  std::optional<SocketAddress> peer;
  const Listener listener(loop, std::move(six->fd),
                          [&](Fd, const Peer& who) { peer = who.address; });
  const auto client = connect_to({*IpAddress::parse("::1"), six->address.port});
  CHECK(run_until(loop, [&] { return peer.has_value(); }));
  CHECK(peer == leash::net::local_address(client.get()));
}

TEST_CASE("a mapped IPv6 address is read as IPv4") {
  leash::net::RawAddress raw = leash::net::to_raw({*IpAddress::parse("::ffff:192.0.2.7"), 80});
  CHECK(leash::net::from_raw(raw)->text() == "192.0.2.7:80");
  raw = leash::net::to_raw({*IpAddress::parse("2001:db8::7"), 80});
  CHECK(leash::net::from_raw(raw)->text() == "[2001:db8::7]:80");
  raw.size = 4;
  CHECK_FALSE(leash::net::from_raw(raw).has_value());
}

TEST_CASE("the accept callback may destroy the listener") {
  Loop loop;
  auto bound = listen_tcp(loopback(), Exclusive::kYes);
  REQUIRE(bound);
  std::unique_ptr<Listener> listener;
  int count = 0;
  listener = std::make_unique<Listener>(loop, std::move(bound->fd), [&](Fd, const Peer&) {
    ++count;
    loop.bury(std::move(listener));
  });
  const auto a = connect_to(bound->address);
  CHECK(run_until(loop, [&] { return count > 0; }));
  CHECK(run_until(loop, [&] { return is_at_end(a); }));
}

TEST_CASE("out of descriptors, those who wait are closed, and accepting goes on later") {
  Loop loop;
  auto bound = listen_tcp(loopback(), Exclusive::kYes);
  REQUIRE(bound);
  std::vector<Fd> fds;
  const Listener listener(loop, std::move(bound->fd),
                          [&](Fd fd, const Peer&) { fds.push_back(std::move(fd)); });
  Fd waiting = connect_to(bound->address);
  std::vector<Fd> fillers;
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit low = before;
  low.rlim_cur = static_cast<rlim_t>(waiting.get()) + 16;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  for (;;) {
    Fd filler(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!filler.is_open()) break;
    fillers.push_back(std::move(filler));
  }
  CHECK(run_until(loop, [&] { return is_at_end(waiting); }));
  CHECK(fds.empty());
  fillers.clear();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  const Fd next = connect_to(bound->address);
  CHECK(run_until(loop, [&] { return fds.size() == 1; }));
}

TEST_CASE("a unix socket is 0660, and a stale one is replaced") {
  const TempDir dir;
  const std::string path = (dir.path / "admin.sock").string();
  const std::string elsewhere = (dir.path / "elsewhere").string();
  {
    const mode_t former = ::umask(0077);
    const auto first = listen_unix(path);
    ::umask(former);
    REQUIRE(first);
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0660);
    const auto second = listen_unix(path);
    REQUIRE_FALSE(second);
    CHECK(second.error().detail == "cannot listen on " + path + ": Address already in use");
    std::filesystem::rename(path, elsewhere);
  }
  std::filesystem::rename(elsewhere, path);  // as a process that was killed leaves it
  Loop loop;
  auto again = listen_unix(path);
  REQUIRE(again);
  int count = 0;
  const Listener listener(loop, std::move(again->fd), [&](Fd, const Peer& peer) {
    CHECK(peer.address == SocketAddress{});
    CHECK(peer.name() == "unix:" + std::to_string(::getuid()));
    ++count;
  });
  const Fd client = connect_to(path);
  CHECK(client.is_open());
  CHECK(run_until(loop, [&] { return count == 1; }));
}

TEST_CASE("a unix socket's file goes with its owner, unless another has taken its place") {
  const TempDir dir;
  const std::string path = (dir.path / "proxy.sock").string();
  {
    const auto bound = listen_unix(path);
    REQUIRE(bound);
    CHECK(std::filesystem::exists(path));
  }
  CHECK_FALSE(std::filesystem::exists(path));
  {
    const auto bound = listen_unix(path);
    REQUIRE(bound);
    std::filesystem::remove(path);
    std::ofstream(path) << "precious";
  }
  CHECK(std::filesystem::file_size(path) == 8);
  std::filesystem::remove(path);
  {
    const auto first = listen_unix(path);
    REQUIRE(first);
    std::filesystem::remove(path);
    auto second = listen_unix(path);
    REQUIRE(second);
    auto kept = std::make_unique<BoundUnix>(std::move(*second));
    CHECK(std::filesystem::exists(path));
    kept.reset();
    CHECK_FALSE(std::filesystem::exists(path));
  }
}

TEST_CASE("a unix socket takes no other file's place and no impossible path") {
  const TempDir dir;
  const std::string path = (dir.path / "file").string();
  std::ofstream(path) << "precious";
  CHECK_FALSE(listen_unix(path));
  CHECK(std::filesystem::file_size(path) == 8);
  std::filesystem::create_symlink(path, dir.path / "link");
  CHECK_FALSE(listen_unix((dir.path / "link").string()));
  CHECK_FALSE(listen_unix(""));
  CHECK_FALSE(listen_unix(std::string(200, 'x')));
  CHECK_FALSE(listen_unix(std::string("a\0b", 3)));
  CHECK_FALSE(listen_unix((dir.path / "no" / "such" / "dir").string()));
}

TEST_CASE("a socket that somebody else has bound says where it listens") {
  const auto tcp = listen_tcp(loopback(), Exclusive::kYes);
  REQUIRE(tcp);
  const auto found = leash::net::endpoint_of(tcp->fd.get());
  REQUIRE(found);
  CHECK(found->tcp == tcp->address);
  CHECK_FALSE(found->is_unix());

  const TempDir dir;
  const auto unix = listen_unix((dir.path / "s").string());
  REQUIRE(unix);
  CHECK(leash::net::endpoint_of(unix->fd.get())->path == (dir.path / "s").string());
}

TEST_CASE("what is no TCP or unix stream socket with a path is not taken over") {
  CHECK_FALSE(leash::net::endpoint_of(-1));
  const Fd udp(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  CHECK_FALSE(leash::net::endpoint_of(udp.get()));
  const Fd packets(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  CHECK_FALSE(leash::net::endpoint_of(packets.get()));
  const Fd nameless(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK_FALSE(leash::net::endpoint_of(nameless.get()));
}
