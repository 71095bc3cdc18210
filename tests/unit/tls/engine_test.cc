#include "tls/engine.h"

#include <doctest/doctest.h>

#include <string>

#include "unit/tls/test_legs.h"

namespace leash::tls {
namespace {

// An established connection between two engines.
struct Pair {
  Pair() : server(legs.accept("a.test:443")), client(legs.connect("a.test:443")) {
    REQUIRE(talk());
    REQUIRE(server->is_established());
    REQUIRE(client->is_established());
  }
  base::Result<void> talk() { return tls::talk(*client, *server, at_client, at_server); }

  Legs legs;
  std::unique_ptr<Engine> server;
  std::unique_ptr<Engine> client;
  std::string at_client;
  std::string at_server;
};

std::string pattern(std::size_t bytes) {
  std::string out(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<char>(i * 31 + i / 251);
  return out;
}

TEST_CASE("two engines shake hands in memory and agree on everything") {
  const Pair pair;
  for (const Engine* engine : {pair.server.get(), pair.client.get()}) {
    CHECK(engine->session().alpn == "h2");
    CHECK(engine->session().version == "TLSv1.3");
    CHECK(engine->session().cipher == "TLS_AES_128_GCM_SHA256");
    CHECK_FALSE(engine->session().was_resumed);
    CHECK_FALSE(engine->is_finished_by_peer());
  }
  CHECK(pair.client->session().origin_cert_sha256.size() == 64);
  CHECK(pair.server->session().origin_cert_sha256.empty());
}

TEST_CASE("a ticket of TLS 1.3 may wait for what is sent next, and nothing else may") {
  Legs legs;
  std::string plain;
  const auto established = [&] {
    auto server = legs.accept("a.test:443");
    const auto client = legs.connect("a.test:443");
    for (int round = 0; round < 2; ++round) {
      CHECK_FALSE(server->may_output_wait());
      REQUIRE(server->receive(std::exchange(client->output(), {}), plain));
      if (server->is_established()) break;
      REQUIRE(client->receive(std::exchange(server->output(), {}), plain));
    }
    REQUIRE(server->is_established());
    REQUIRE_FALSE(server->output().empty());
    CHECK(server->may_output_wait());
    return server;
  };
  auto server = established();
  REQUIRE(server->send("answer"));
  CHECK_FALSE(server->may_output_wait());
  server = established();
  server->finish();
  CHECK_FALSE(server->may_output_wait());
  server = established();
  CHECK_FALSE(server->receive(std::string("\x17\x03\x03\x00\x20", 5) + pattern(32), plain));
  CHECK_FALSE(server->may_output_wait());  // an alert
}

TEST_CASE("the end of a handshake of TLS 1.2 does not wait") {
  Legs legs;
  const auto server = legs.accept("a.test:443");
  const SslCtxPtr context = raw_client();
  SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
  RawPeer client(context.get(), RawPeer::Role::kClient);
  std::string plain;
  REQUIRE(server->receive(client.step(""), plain));
  REQUIRE(server->receive(client.step(std::exchange(server->output(), {})), plain));
  REQUIRE(server->is_established());
  REQUIRE_FALSE(server->output().empty());
  CHECK_FALSE(server->may_output_wait());
}

TEST_CASE("a handshake comes out the same when it arrives byte by byte") {
  Legs legs;
  const auto server = legs.accept("a.test:443");
  const auto client = legs.connect("a.test:443");
  std::string plain;
  for (int round = 0; round < 10; ++round) {
    const std::string to_server = std::exchange(client->output(), {});
    for (const char c : to_server) REQUIRE(server->receive({&c, 1}, plain));
    const std::string to_client = std::exchange(server->output(), {});
    for (const char c : to_client) REQUIRE(client->receive({&c, 1}, plain));
  }
  CHECK(server->is_established());
  CHECK(client->is_established());
  CHECK(plain.empty());
}

TEST_CASE("data of any size arrives as it was sent, both ways") {
  Pair pair;
  for (const std::size_t bytes : {1U, 100U, 16384U, 16385U, 70000U, 1000000U}) {
    CAPTURE(bytes);
    const std::string text = pattern(bytes);
    pair.at_client.clear();
    pair.at_server.clear();
    REQUIRE(pair.client->send(text));
    REQUIRE(pair.server->send(text));
    REQUIRE(pair.talk());
    CHECK((pair.at_server == text));
    CHECK((pair.at_client == text));
  }
}

TEST_CASE("data comes out the same however the ciphertext is cut") {
  Pair pair;
  const std::string text = pattern(40000);
  for (const std::size_t piece : {1U, 5U, 6U, 1000U, 16384U, 16406U, 17000U}) {
    CAPTURE(piece);
    REQUIRE(pair.client->send(text.substr(0, 3)));
    REQUIRE(pair.client->send(text.substr(3)));
    const std::string cipher = std::exchange(pair.client->output(), {});
    std::string plain = "kept ";
    for (std::size_t at = 0; at < cipher.size(); at += piece) {
      REQUIRE(pair.server->receive(std::string_view(cipher).substr(at, piece), plain));
    }
    CHECK((plain == "kept " + text));
  }
}

TEST_CASE("close_notify marks the end, in the same bytes as the last data too") {
  Pair pair;
  REQUIRE(pair.server->send("last words"));
  pair.server->finish();
  REQUIRE(pair.talk());
  CHECK(pair.at_client == "last words");
  CHECK(pair.client->is_finished_by_peer());
  CHECK_FALSE(pair.server->is_finished_by_peer());
  // The other direction stays open (RFC 8446 s. 6.1).
  REQUIRE(pair.client->send("still here"));
  REQUIRE(pair.talk());
  CHECK(pair.at_server == "still here");
}

TEST_CASE("an end without close_notify is not the end") {
  Pair pair;
  REQUIRE(pair.server->send("half of"));
  REQUIRE(pair.talk());
  CHECK_FALSE(pair.client->is_finished_by_peer());
}

TEST_CASE("sending before the handshake is done is an error") {
  Legs legs;
  const auto server = legs.accept("a.test:443");
  CHECK_FALSE(server->send("early"));
  CHECK(server->output().empty());
}

TEST_CASE("a changed byte ends the connection with an alert, and it stays ended") {
  Pair pair;
  REQUIRE(pair.client->send("hello"));
  std::string cipher = std::exchange(pair.client->output(), {});
  cipher.back() = static_cast<char>(cipher.back() ^ 1);
  const auto result = pair.server->receive(cipher, pair.at_server);
  REQUIRE_FALSE(result);
  CHECK(result.error().code == base::Code::kTlsClient);
  CHECK(result.error().fault == base::Fault::kClient);
  CHECK(pair.at_server.empty());
  CHECK_FALSE(pair.server->output().empty());
  CHECK_FALSE(pair.server->is_established());
  CHECK_FALSE(pair.server->receive("", pair.at_server));
  CHECK_FALSE(pair.server->send("x"));
}

TEST_CASE("the code says which side the engine talks to") {
  Legs legs;
  std::string plain;
  const auto server = legs.accept("a.test:443");
  const auto at_server = server->receive("GET / HTTP/1.1\r\n\r\n", plain);
  REQUIRE_FALSE(at_server);
  CHECK(at_server.error().code == base::Code::kTlsClient);
  const auto client = legs.connect("a.test:443");
  const auto at_client = client->receive("HTTP/1.1 400 Bad Request\r\n\r\n", plain);
  REQUIRE_FALSE(at_client);
  CHECK(at_client.error().code == base::Code::kTlsServer);
  CHECK(at_client.error().fault == base::Fault::kOrigin);
}

TEST_CASE("a trimmed connection goes on") {
  Pair pair;
  REQUIRE(pair.client->send(pattern(50000)));
  REQUIRE(pair.talk());
  pair.client->trim();
  pair.server->trim();
  pair.at_server.clear();
  REQUIRE(pair.client->send("after"));
  // Half a record, then trim: what has come must not be lost.
  const std::string cipher = std::exchange(pair.client->output(), {});
  REQUIRE(pair.server->receive(cipher.substr(0, 8), pair.at_server));
  pair.server->trim();
  REQUIRE(pair.server->receive(cipher.substr(8), pair.at_server));
  CHECK(pair.at_server == "after");
}

TEST_CASE("an alert of the peer is told by its name") {
  Pair pair;
  REQUIRE(pair.client->send("hello"));
  std::string cipher = std::exchange(pair.client->output(), {});
  cipher.back() = static_cast<char>(cipher.back() ^ 1);
  REQUIRE_FALSE(pair.server->receive(cipher, pair.at_server));
  const auto result = pair.client->receive(pair.server->output(), pair.at_client);
  REQUIRE_FALSE(result);
  CHECK(result.error().detail == "the origin sent the alert: bad record mac");
}

TEST_CASE("a key update of the peer is followed") {
  Legs legs;
  const auto server = legs.accept("a.test:443");
  const SslCtxPtr context = raw_client();
  RawPeer peer(context.get(), RawPeer::Role::kClient);
  std::string plain;
  REQUIRE(talk(*server, peer, plain));
  REQUIRE(SSL_key_update(peer.ssl(), SSL_KEY_UPDATE_REQUESTED) == 1);
  peer.write("one");
  REQUIRE(talk(*server, peer, plain));
  REQUIRE(server->send("two"));
  REQUIRE(talk(*server, peer, plain));
  CHECK(plain == "one");
  CHECK(peer.plain() == "two");
}

TEST_CASE("renegotiation by the client gets nowhere") {
  Legs legs;
  const auto server = legs.accept("a.test:443");
  const SslCtxPtr context = raw_client();
  SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
  RawPeer peer(context.get(), RawPeer::Role::kClient);
  std::string plain;
  REQUIRE(talk(*server, peer, plain));
  REQUIRE(server->session().version == "TLSv1.2");
  REQUIRE(SSL_renegotiate(peer.ssl()) == 1);
  SSL_do_handshake(peer.ssl());
  (void)talk(*server, peer, plain);
  CHECK(peer.alert() == SSL_AD_NO_RENEGOTIATION);
}

TEST_CASE("versions before TLS 1.2 are refused on both legs") {
  Legs legs;
  const SslCtxPtr old_client = raw_client();
  SSL_CTX_set_min_proto_version(old_client.get(), TLS1_VERSION);
  SSL_CTX_set_max_proto_version(old_client.get(), TLS1_1_VERSION);
  SSL_CTX_set_cipher_list(old_client.get(), "ALL:@SECLEVEL=0");
  RawPeer client(old_client.get(), RawPeer::Role::kClient);
  const auto server = legs.accept("a.test:443");
  CHECK_FALSE(talk(*server, client));
  CHECK(client.alert() == SSL_AD_PROTOCOL_VERSION);

  const Identity root = make_root("root");
  const Identity origin = make_identity({"a.test", "DNS:a.test"}, &root);
  const SslCtxPtr old_server = raw_server(origin);
  SSL_CTX_set_min_proto_version(old_server.get(), TLS1_VERSION);
  SSL_CTX_set_max_proto_version(old_server.get(), TLS1_1_VERSION);
  SSL_CTX_set_cipher_list(old_server.get(), "ALL:@SECLEVEL=0");
  RawPeer peer(old_server.get(), RawPeer::Role::kServer);
  const auto engine = legs.connect("a.test:443");
  CHECK_FALSE(talk(*engine, peer));
}

}  // namespace
}  // namespace leash::tls
