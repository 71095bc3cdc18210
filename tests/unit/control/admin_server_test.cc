#include "control/admin_server.h"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>

#include "base/fd.h"
#include "net/sockaddr.h"
#include "net/stream.h"
#include "support/run_until.h"

using leash::base::Code;
using leash::base::Fd;
using leash::control::AdminServer;
using leash::control::is_local_host_value;
using leash::control::MetricFamily;
using leash::control::MetricType;
using leash::net::Loop;
using leash::test::run_until;

namespace {

struct Client : leash::net::Stream::Handler {
  std::string answer;
  bool is_over = false;
  void on_bytes(std::string_view bytes) override { answer += bytes; }
  void on_eof() override { is_over = true; }
  void on_error(leash::base::Error) override { is_over = true; }
  void on_drained() override {}
};

Fd connect_tcp(const leash::base::SocketAddress& address) {
  const auto raw = leash::net::to_raw(address);
  Fd fd(::socket(raw.get()->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::connect(fd.get(), raw.get(), raw.size) == 0);
  return fd;
}

// Sends `text` and reads until the server closes.
std::string talk(Loop& loop, Fd fd, std::string_view text) {
  Client client;
  leash::net::Stream stream(loop, std::move(fd), client);
  stream.resume_reading();
  stream.write(text);
  CHECK(run_until(loop, [&] { return client.is_over; }));
  return client.answer;
}

struct Fixture {
  Loop loop;
  std::vector<std::string> reasons;
  std::unique_ptr<AdminServer> server;

  explicit Fixture(const std::string& where = "127.0.0.1:0") {
    auto started = AdminServer::start(
        loop, where,
        {[this] { return reasons; },
         [] {
           return std::vector<MetricFamily>{
               {"leash_requests_total",
                "Requests.",
                MetricType::kCounter,
                {{7, {{"verdict", "a\"b"}}}}},
               {"leash_tunnels", "Open tunnels.", MetricType::kGauge, {{2, {}}}}};
         }});
    REQUIRE(started);
    server = std::move(*started);
  }
  std::string get(std::string_view request_line, std::string_view host = "127.0.0.1") {
    return talk(loop, connect_tcp(server->address()),
                std::string(request_line) + " HTTP/1.1\r\nHost: " + std::string(host) +
                    "\r\nConnection: close\r\n\r\n");
  }
};

std::string status(const std::string& answer) { return answer.substr(0, 12); }

std::string body(const std::string& answer) {
  const auto end = answer.find("\r\n\r\n");
  return end == std::string::npos ? "" : answer.substr(end + 4);
}

}  // namespace

TEST_CASE("health, readiness and metrics are answered") {
  Fixture f;
  CHECK(body(f.get("GET /healthz")) == "ok\n");
  std::string ready = f.get("GET /readyz?verbose");
  CHECK(status(ready) == "HTTP/1.1 200");
  CHECK(body(ready) == "{\"ready\": true, \"reasons\": []}\n");
  f.reasons = {"audit log: disk \"full\"\n", "draining"};
  ready = f.get("GET /readyz");
  CHECK(status(ready) == "HTTP/1.1 503");
  CHECK(ready.find("Content-Type: application/json\r\n") != std::string::npos);
  CHECK(
      body(ready) ==
      "{\"ready\": false, \"reasons\": [\"audit log: disk \\\"full\\\"\\u000a\", \"draining\"]}\n");
  const std::string metrics = f.get("GET /metrics");
  CHECK(metrics.find("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n") !=
        std::string::npos);
  CHECK(metrics.find("X-Content-Type-Options: nosniff\r\n") != std::string::npos);
  CHECK(body(metrics) ==
        "# HELP leash_requests_total Requests.\n"
        "# TYPE leash_requests_total counter\n"
        "leash_requests_total{verdict=\"a\\\"b\"} 7\n"
        "# HELP leash_tunnels Open tunnels.\n"
        "# TYPE leash_tunnels gauge\n"
        "leash_tunnels 2\n");
}

TEST_CASE("other paths are 404 without an echo, other methods 405") {
  Fixture f;
  for (const auto* line :
       {"GET /", "GET /healthz/", "GET /HEALTHZ", "GET /%68ealthz", "GET /<script>", "POST /x"}) {
    const std::string answer = f.get(line);
    CHECK(status(answer) == "HTTP/1.1 404");
    CHECK(answer.find("script") == std::string::npos);
  }
  for (const auto* method : {"POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    const std::string answer = f.get(std::string(method) + " /metrics");
    CHECK(status(answer) == "HTTP/1.1 405");
    CHECK(answer.find("Allow: GET\r\n") != std::string::npos);
  }
}

TEST_CASE("a name in Host or in the target is refused, an address is not") {
  Fixture f;
  CHECK(status(f.get("GET /metrics", "evil.test")) == "HTTP/1.1 421");
  CHECK(status(f.get("GET /metrics", "evil.test:8081")) == "HTTP/1.1 421");
  CHECK(status(f.get("GET /metrics", "localhost.evil.test")) == "HTTP/1.1 421");
  CHECK(status(f.get("GET http://evil.test/metrics")) == "HTTP/1.1 421");
  CHECK(status(f.get("GET //evil.test/metrics")) == "HTTP/1.1 421");
  CHECK(status(f.get("GET /metrics", "localhost:8081")) == "HTTP/1.1 200");
  CHECK(status(f.get("GET /metrics", "[::1]:8081")) == "HTTP/1.1 200");
  CHECK(status(talk(f.loop, connect_tcp(f.server->address()), "GET /healthz HTTP/1.0\r\n\r\n")) ==
        "HTTP/1.0 200");
}

TEST_CASE("what a local Host looks like") {
  for (const auto* good : {"127.0.0.1", "127.0.0.1:80", "localhost", "LOCALHOST:1", "[::1]",
                           "[2001:db8::1]:8081", "10.0.0.1:8081"}) {
    CHECK(is_local_host_value(good));
  }
  for (const auto* bad : {"", ":80", "evil.test", "localhost.", "localhost:x", "127.0.0.1:",
                          "127.0.0.1:99999", "0x7f.1", "2130706433", "::1", "[::1", "[::1]x",
                          "[127.0.0.1]", "127.0.0.1.evil.test", "[::1%25lo]", "localhost:80:80"}) {
    CHECK_FALSE(is_local_host_value(bad));
  }
}

TEST_CASE("large heads, bodies and garbage are refused") {
  Fixture f;
  const auto send = [&](const std::string& text) {
    return status(talk(f.loop, connect_tcp(f.server->address()), text));
  };
  CHECK(send("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + std::string(20'000, 'x') +
             "\r\n\r\n") != "HTTP/1.1 200");
  CHECK(send("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n\r\nhello") !=
        "HTTP/1.1 200");
  CHECK(send("\x16\x03\x01\x02\r\n\r\n") != "HTTP/1.1 200");
  CHECK(body(f.get("GET /healthz")) == "ok\n");
}

TEST_CASE("a unix socket serves any Host, off serves nobody") {
  std::string name = (std::filesystem::temp_directory_path() / "leash-admin-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  const std::string path = name + "/admin.sock";
  {
    Fixture f("unix:" + path);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    CHECK(status(talk(f.loop, std::move(fd),
                      "GET /healthz HTTP/1.1\r\nHost: leash\r\nConnection: close\r\n\r\n")) ==
          "HTTP/1.1 200");
  }
  std::filesystem::remove_all(name);
  const Fixture off("off");
  CHECK(off.server->address() == leash::base::SocketAddress{});
}

TEST_CASE("an address that is none and one that is taken are errors") {
  Fixture f;
  const auto bad = AdminServer::start(f.loop, "8081", {});
  REQUIRE_FALSE(bad);
  CHECK(bad.error().code == Code::kBadConfig);
  const auto taken = AdminServer::start(f.loop, f.server->address().text(), {});
  REQUIRE_FALSE(taken);
  CHECK(taken.error().code == Code::kIo);
}
