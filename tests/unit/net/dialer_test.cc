#include "net/dialer.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <vector>

#include "net/listener.h"
#include "net/sockaddr.h"
#include "support/run_until.h"

using namespace std::chrono_literals;
using leash::base::Code;
using leash::base::Fault;
using leash::base::Fd;
using leash::base::Result;
using leash::base::SocketAddress;
using leash::net::dial;
using leash::net::Dialled;
using leash::net::Exclusive;
using leash::net::listen_tcp;
using leash::net::Loop;
using leash::net::Pending;
using leash::test::run_until;

namespace {

SocketAddress at(std::string_view text) { return *SocketAddress::parse(text); }

// Bound but not listening: refuses.
struct Refuser {
  Fd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  SocketAddress address;
  Refuser() {
    const auto raw = leash::net::to_raw(at("127.0.0.1:0"));
    REQUIRE(::bind(fd.get(), raw.get(), raw.size) == 0);
    address = *leash::net::local_address(fd.get());
  }
};

// A full backlog: the kernel drops further SYNs, so a connect just waits.
struct Silent {
  Fd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  SocketAddress address;
  std::vector<Fd> fillers;
  Silent() {
    const auto raw = leash::net::to_raw(at("127.0.0.1:0"));
    REQUIRE(::bind(fd.get(), raw.get(), raw.size) == 0);
    REQUIRE(::listen(fd.get(), 0) == 0);
    address = *leash::net::local_address(fd.get());
    const auto own = leash::net::to_raw(address);
    for (int i = 0; i < 3; ++i) {
      fillers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      ::connect(fillers.back().get(), own.get(), own.size);
    }
  }
};

struct Outcome {
  std::optional<Result<Dialled>> result;
  std::unique_ptr<Pending> pending;

  void start(Loop& loop, std::vector<SocketAddress> addresses,
             std::chrono::milliseconds timeout = 10s) {
    pending = dial(loop, std::move(addresses), timeout, [this](Result<Dialled> got) {
      CHECK_FALSE(result.has_value());
      result = std::move(got);
      pending.reset();  // as a session does
    });
    CHECK_FALSE(result.has_value());  // never inside the call
  }
};

}  // namespace

TEST_CASE("the address that answers is the one that was given") {
  Loop loop;
  const auto bound = listen_tcp(at("127.0.0.1:0"), Exclusive::kYes);
  REQUIRE(bound);
  Outcome outcome;
  outcome.start(loop, {bound->address});
  REQUIRE(run_until(loop, [&] { return outcome.result.has_value(); }));
  REQUIRE(*outcome.result);
  CHECK((*outcome.result)->address == bound->address);
  CHECK(leash::net::peer_address((*outcome.result)->fd.get()) == bound->address);
}

TEST_CASE("a refused address gives way to the next at once") {
  Loop loop;
  const Refuser refuser;
  const auto bound = listen_tcp(at("127.0.0.1:0"), Exclusive::kYes);
  REQUIRE(bound);
  Outcome outcome;
  const auto begin = loop.now();
  std::vector<SocketAddress> addresses(160, refuser.address);  // 40 s if each took its 250 ms
  addresses.push_back(bound->address);
  outcome.start(loop, addresses, 60s);
  REQUIRE(run_until(loop, [&] { return outcome.result.has_value(); }));
  REQUIRE(*outcome.result);
  CHECK((*outcome.result)->address == bound->address);
  CHECK(loop.now() - begin < 20s);
}

TEST_CASE("a silent address gets company after 250 ms, and loses") {
  Loop loop;
  const Silent silent;
  const auto bound = listen_tcp(at("127.0.0.1:0"), Exclusive::kYes);
  REQUIRE(bound);
  Outcome outcome;
  const auto begin = loop.now();
  outcome.start(loop, {silent.address, bound->address});
  REQUIRE(run_until(loop, [&] { return outcome.result.has_value(); }));
  REQUIRE(*outcome.result);
  CHECK((*outcome.result)->address == bound->address);
  CHECK(loop.now() - begin >= 250ms);
}

TEST_CASE("silent addresses are tried a few at a time") {
  Loop loop;
  const Silent silent;
  const auto open_descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  Outcome outcome;
  const auto before = open_descriptors();
  outcome.start(loop, std::vector<SocketAddress>(30, silent.address), 60s);
  std::ptrdiff_t most = 0;
  bool is_over = false;
  leash::net::Timer enough(loop, [&] { is_over = true; });
  enough.start(3s);  // for ten of them, were they not held back
  REQUIRE(run_until(loop, [&] {
    most = std::max(most, open_descriptors() - before);
    return most >= 2 && is_over;
  }));
  CHECK(!outcome.result);
  CHECK(most <= 4);
}

TEST_CASE("when all refuse, the last refusal is told") {
  Loop loop;
  const Refuser a;
  const Refuser b;
  Outcome outcome;
  outcome.start(loop, {a.address, b.address});
  REQUIRE(run_until(loop, [&] { return outcome.result.has_value(); }));
  REQUIRE_FALSE(*outcome.result);
  CHECK(outcome.result->error().code == Code::kConnectFailed);
  CHECK(outcome.result->error().fault == Fault::kOrigin);
  CHECK(outcome.result->error().detail == b.address.text() + ": Connection refused");
}

TEST_CASE("an address that cannot be reached at all fails outside the call") {
  Loop loop;
  Outcome outcome;
  outcome.start(loop, {at("255.255.255.255:80")});
  REQUIRE(run_until(loop, [&] { return outcome.result.has_value(); }));
  CHECK(outcome.result->error().code == Code::kConnectFailed);
}

TEST_CASE("no address at all is a failure, not a hang") {
  Loop loop;
  Outcome outcome;
  outcome.start(loop, {});
  REQUIRE(run_until(loop, [&] { return outcome.result.has_value(); }));
  CHECK(outcome.result->error().code == Code::kConnectFailed);
  CHECK(outcome.result->error().detail == "no address to connect to");
}

TEST_CASE("nobody answers in time") {
  Loop loop;
  const Silent silent;
  Outcome outcome;
  outcome.start(loop, {silent.address}, 20ms);
  REQUIRE(run_until(loop, [&] { return outcome.result.has_value(); }));
  CHECK(outcome.result->error().code == Code::kConnectTimeout);
  CHECK(outcome.result->error().detail == "no answer from " + silent.address.text());
}

TEST_CASE("a cancelled dial never calls") {
  Loop loop;
  const auto bound = listen_tcp(at("127.0.0.1:0"), Exclusive::kYes);
  REQUIRE(bound);
  bool called = false;
  auto one = dial(loop, {bound->address}, 10s, [&](const auto&) { called = true; });
  auto two = dial(loop, {}, 0ms, [&](const auto&) { called = true; });
  one.reset();
  two.reset();
  bool end = false;
  leash::net::Timer timer(loop, [&] { end = true; });
  timer.start(5ms);
  CHECK(run_until(loop, [&] { return end; }));
  CHECK_FALSE(called);
}
