#include "tls/stacked_engine.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>

#include "unit/tls/test_legs.h"

namespace leash::tls {
namespace {

// An outer connection to the proxy, and an inner one to a.test that has not begun.
struct Stack {
  Stack() {
    auto outer_server = legs.accept("proxy.test:8080", "proxy", false);
    auto outer_client = legs.connect("proxy.test:8080", "proxy", false);
    REQUIRE(talk(*outer_client, *outer_server, at_client, at_server));
    client = stack_engines(std::move(outer_client), legs.connect("a.test:443"), {});
    server = stack_engines(std::move(outer_server), legs.accept("a.test:443"), {});
  }

  Legs legs;
  std::unique_ptr<Engine> client;
  std::unique_ptr<Engine> server;
  std::string at_client;
  std::string at_server;
};

TEST_CASE("TLS inside TLS shakes hands and carries bytes both ways") {
  Stack stack;
  REQUIRE(talk(*stack.client, *stack.server, stack.at_client, stack.at_server));
  REQUIRE(stack.server->is_established());
  CHECK(stack.server->session().alpn == "h2");
  const std::string much(100'000, 'x');
  REQUIRE(stack.client->send(much));
  REQUIRE(stack.server->send("answer"));
  REQUIRE(talk(*stack.client, *stack.server, stack.at_client, stack.at_server));
  CHECK(stack.at_server == much);
  CHECK(stack.at_client == "answer");
  stack.client->trim();
  stack.server->trim();
  stack.client->finish();
  REQUIRE(talk(*stack.client, *stack.server, stack.at_client, stack.at_server));
  CHECK(stack.server->is_finished_by_peer());
}

TEST_CASE("what the outer engine had decrypted already is the inner one's first flight") {
  Legs legs;
  auto outer_server = legs.accept("proxy.test:8080", "proxy", false);
  auto outer_client = legs.connect("proxy.test:8080", "proxy", false);
  std::string at_client;
  std::string at_server;
  REQUIRE(talk(*outer_client, *outer_server, at_client, at_server));
  auto client = stack_engines(std::move(outer_client), legs.connect("a.test:443"), {});
  std::string first;
  REQUIRE(outer_server->receive(client->output(), first));
  client->output().clear();
  REQUIRE_FALSE(first.empty());
  auto server = stack_engines(std::move(outer_server), legs.accept("a.test:443"), first);
  REQUIRE(server->receive({}, at_server));
  REQUIRE(talk(*client, *server, at_client, at_server));
  CHECK(server->is_established());
}

TEST_CASE("a broken inner handshake is an error, and its alert goes out through the outer one") {
  Legs legs;
  auto outer_server = legs.accept("proxy.test:8080", "proxy", false);
  auto outer_client = legs.connect("proxy.test:8080", "proxy", false);
  std::string at_client;
  std::string at_server;
  REQUIRE(talk(*outer_client, *outer_server, at_client, at_server));
  const std::string no_hello("\x16\x03\x01\x00\x05hello", 10);
  auto server = stack_engines(std::move(outer_server), legs.accept("a.test:443"), no_hello);
  std::string plain;
  CHECK_FALSE(server->receive({}, plain));
  REQUIRE_FALSE(server->output().empty());
  REQUIRE(outer_client->receive(server->output(), plain));
  REQUIRE_FALSE(plain.empty());
  CHECK(plain.front() == '\x15');  // an alert record
}

}  // namespace
}  // namespace leash::tls
