#include "control/sd_notify.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "net/listener.h"

using namespace std::chrono_literals;
using leash::base::Fd;
using leash::control::Environment;
using leash::control::SdNotify;
using leash::control::take_inherited_sockets;

namespace {

// systemd's end.
struct Manager {
  std::filesystem::path dir;
  Fd fd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  std::string path;

  Manager() {
    std::string name = (std::filesystem::temp_directory_path() / "leash-sd-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    dir = name;
    path = (dir / "notify").string();
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  ~Manager() { std::filesystem::remove_all(dir); }
  [[nodiscard]] std::string next() const {
    char buffer[256];
    const ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, 0);
    return n < 0 ? "nothing" : std::string(buffer, static_cast<std::size_t>(n));
  }
};

const std::string kMe = std::to_string(::getpid());

}  // namespace

TEST_CASE("systemd hears what happens, one datagram each") {
  const Manager manager;
  SdNotify notify(Environment{{"NOTIFY_SOCKET", manager.path}});
  CHECK(notify.ready());
  CHECK(manager.next() == "READY=1");
  CHECK(notify.watchdog());
  CHECK(manager.next() == "WATCHDOG=1");
  CHECK(notify.reloading());
  CHECK(manager.next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
  CHECK(notify.status("3 tunnels\nREADY=1"));
  CHECK(manager.next() == "STATUS=3 tunnels READY=1");
  CHECK(notify.stopping());
  CHECK(manager.next() == "STOPPING=1");
  CHECK(manager.next() == "nothing");
  CHECK_FALSE(notify.watchdog_interval().has_value());
}

TEST_CASE("an abstract address works as well") {
  const std::string name = "leash-test-" + kMe;
  const Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  SdNotify notify(Environment{{"NOTIFY_SOCKET", "@" + name}});
  CHECK(notify.ready());
  char buffer[16];
  CHECK(::recv(fd.get(), buffer, sizeof buffer, 0) == 7);
}

TEST_CASE("without a usable socket nothing is sent and nothing breaks") {
  for (const auto& value : {std::string(), std::string("relative"), std::string("@"),
                            std::string("/") + std::string(200, 'x'), std::string("/no/such")}) {
    SdNotify notify(Environment{{"NOTIFY_SOCKET", value}});
    CHECK_FALSE(notify.ready());
  }
  CHECK_FALSE(SdNotify(Environment{}).stopping());
}

TEST_CASE("the watchdog is fed twice in its time, if it is ours") {
  Environment environment{{"NOTIFY_SOCKET", "/no/such"}, {"WATCHDOG_USEC", "30000000"}};
  CHECK(SdNotify(environment).watchdog_interval() == 15s);
  environment["WATCHDOG_PID"] = kMe;
  CHECK(SdNotify(environment).watchdog_interval() == 15s);
  environment["WATCHDOG_PID"] = "1";
  CHECK_FALSE(SdNotify(environment).watchdog_interval().has_value());
  environment.erase("WATCHDOG_PID");
  for (const auto* bad : {"0", "-1", "x", ""}) {
    environment["WATCHDOG_USEC"] = bad;
    CHECK_FALSE(SdNotify(environment).watchdog_interval().has_value());
  }
}

TEST_CASE("inherited sockets are taken with their names") {
  auto a = leash::net::listen_tcp(*leash::base::SocketAddress::parse("127.0.0.1:0"),
                                  leash::net::Exclusive::kNo);
  REQUIRE(a);
  // Two neighbours that nobody else uses.
  const int first = ::fcntl(a->fd.get(), F_DUPFD, 200);
  REQUIRE(::dup2(a->fd.get(), first + 1) == first + 1);
  const Environment environment{
      {"LISTEN_FDS", "2"}, {"LISTEN_PID", kMe}, {"LISTEN_FDNAMES", "proxy:admin"}};
  const auto sockets = take_inherited_sockets(environment, first);
  REQUIRE(sockets);
  REQUIRE(sockets->size() == 2);
  CHECK((*sockets)[0].name == "proxy");
  CHECK((*sockets)[1].name == "admin");
  CHECK((*sockets)[1].fd.get() == first + 1);
  CHECK((::fcntl(first, F_GETFD) & FD_CLOEXEC) != 0);
  CHECK((::fcntl(first, F_GETFL) & O_NONBLOCK) != 0);
}

TEST_CASE("sockets of another process and nonsense are not taken") {
  CHECK(take_inherited_sockets({})->empty());
  CHECK(take_inherited_sockets({{"LISTEN_FDS", "1"}})->empty());
  CHECK(take_inherited_sockets({{"LISTEN_FDS", "1"}, {"LISTEN_PID", "1"}})->empty());
  CHECK_FALSE(take_inherited_sockets({{"LISTEN_FDS", "-1"}, {"LISTEN_PID", kMe}}));
  CHECK_FALSE(take_inherited_sockets({{"LISTEN_FDS", "1000000"}, {"LISTEN_PID", kMe}}));
  CHECK_FALSE(take_inherited_sockets({{"LISTEN_FDS", "1"}, {"LISTEN_PID", kMe}}, 900));
  const int pipe_end = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  CHECK_FALSE(take_inherited_sockets({{"LISTEN_FDS", "1"}, {"LISTEN_PID", kMe}}, pipe_end));
}
