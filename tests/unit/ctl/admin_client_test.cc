#include "insight/admin_client.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <thread>

#include "base/fd.h"
#include "unit/ctl/desk.h"

namespace leash::ctl {
namespace {

using namespace std::chrono_literals;

// Answers one connection with `answer`, then closes it.
class OneAnswer {
 public:
  OneAnswer(base::Fd listener, std::string answer)
      : thread_([listener = std::move(listener), answer = std::move(answer)] {
          const base::Fd peer(::accept(listener.get(), nullptr, nullptr));
          char block[1024];
          (void)::recv(peer.get(), block, sizeof block, 0);
          (void)::send(peer.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
        }) {}
  ~OneAnswer() { thread_.join(); }
  OneAnswer(const OneAnswer&) = delete;
  OneAnswer& operator=(const OneAnswer&) = delete;

 private:
  std::thread thread_;
};

struct Bound {
  base::Fd listener;
  std::string address;
};

Bound listen_on_loopback() {
  base::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd.get(), 1) == 0);
  socklen_t length = sizeof address;
  REQUIRE(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
  return {std::move(fd), "127.0.0.1:" + std::to_string(ntohs(address.sin_port))};
}

constexpr const char* kReady = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";

}  // namespace

TEST_CASE("the admin socket is asked over TCP") {
  Bound bound = listen_on_loopback();
  const OneAnswer server(std::move(bound.listener), kReady);
  const auto answer = insight::admin_get(bound.address, "/readyz", 60s);
  REQUIRE(answer.has_value());
  CHECK(answer->status == 200);
  CHECK(answer->body == "ok\n");
}

TEST_CASE("the admin socket is asked over a Unix socket") {
  const Desk desk;
  base::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  desk.path("admin").copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd.get(), 1) == 0);
  const OneAnswer server(std::move(fd), "HTTP/1.0 503 Not ready\r\n\r\naudit log: no space");
  const auto answer = insight::admin_get("unix:" + desk.path("admin"), "/readyz", 60s);
  REQUIRE(answer.has_value());
  CHECK(answer->status == 503);
  CHECK(answer->body == "audit log: no space");
}

TEST_CASE("an answer that is not HTTP or not whole is an error") {
  for (const char* text :
       {"SSH-2.0-x\r\n\r\n", "HTTP/1.1 200 OK\r\n", "", "HTTP/1.1 2x0 OK\r\n\r\n"}) {
    Bound bound = listen_on_loopback();
    const OneAnswer server(std::move(bound.listener), text);
    CHECK_FALSE(insight::admin_get(bound.address, "/readyz", 60s).has_value());
  }
}

TEST_CASE("nobody there, silence and nonsense are errors") {
  const Desk desk;
  CHECK(insight::admin_get("unix:" + desk.path("none"), "/", 1s).error().code ==
        base::Code::kConnectFailed);
  CHECK(insight::admin_get("unix:", "/", 1s).error().code == base::Code::kBadConfig);
  CHECK(insight::admin_get("unix:" + std::string(200, 'x'), "/", 1s).error().code ==
        base::Code::kBadConfig);
  CHECK(insight::admin_get("localhost:1", "/", 1s).error().code == base::Code::kBadConfig);
  const Bound bound = listen_on_loopback();  // never accepts
  CHECK(insight::admin_get(bound.address, "/", 20ms).error().code == base::Code::kTimeout);
}

}  // namespace leash::ctl
