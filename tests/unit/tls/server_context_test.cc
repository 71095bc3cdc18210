// The client leg, against a client made of OpenSSL alone.
#include <doctest/doctest.h>

#include <string>

#include "unit/tls/test_legs.h"

namespace leash::tls {
namespace {

// ALPN in wire form.
void offer(RawPeer& peer, const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += static_cast<char>(name.size()) + name;
  REQUIRE(SSL_set_alpn_protos(peer.ssl(), bytes_of(list), static_cast<unsigned>(list.size())) == 0);
}

std::string alpn_after(Engine& engine, const std::vector<std::string>& names) {
  const SslCtxPtr context = raw_client();
  RawPeer peer(context.get(), RawPeer::Role::kClient);
  if (!names.empty()) offer(peer, names);
  const auto result = talk(engine, peer);
  if (result) return engine.session().alpn;
  CHECK(result.error().code == base::Code::kTlsClient);
  return "alert " + std::to_string(peer.alert());
}

bool has_san(SSL* ssl, const char* host, const char* ip) {
  X509* certificate = SSL_get0_peer_certificate(ssl);
  REQUIRE(certificate != nullptr);
  if (host != nullptr) {
    return X509_check_host(certificate, host, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, nullptr) == 1;
  }
  return X509_check_ip_asc(certificate, ip, 0) == 1;
}

TEST_CASE("ALPN takes h2 where offered and wanted, else http/1.1, and nothing unknown") {
  Legs legs;
  const auto with_h2 = [&] { return legs.accept("a.test:443", "s", true); };
  const auto without = [&] { return legs.accept("a.test:443", "s", false); };
  CHECK(alpn_after(*with_h2(), {"http/1.1", "h2"}) == "h2");
  CHECK(alpn_after(*with_h2(), {"http/1.1"}) == "http/1.1");
  CHECK(alpn_after(*without(), {"h2", "http/1.1"}) == "http/1.1");
  CHECK(alpn_after(*with_h2(), {"ftp", "h2"}) == "h2");
  CHECK(alpn_after(*with_h2(), {"ftp"}) == "alert 120");
  CHECK(alpn_after(*without(), {"h2"}) == "alert 120");
  CHECK(alpn_after(*with_h2(), {}).empty());
}

TEST_CASE("the leaf is for the authority, whatever the SNI says") {
  Legs legs;
  for (const char* sni : {"other.test", "a.test", ""}) {
    CAPTURE(sni);
    const auto engine = legs.accept("a.test:443");
    const SslCtxPtr context = raw_client();
    RawPeer peer(context.get(), RawPeer::Role::kClient);
    if (*sni != '\0') SSL_set_tlsext_host_name(peer.ssl(), sni);
    REQUIRE(talk(*engine, peer));
    CHECK(has_san(peer.ssl(), "a.test", nullptr));
    CHECK_FALSE(has_san(peer.ssl(), "other.test", nullptr));
  }
}

TEST_CASE("an address gets a leaf with that address") {
  Legs legs;
  for (const char* name : {"127.0.0.1", "2001:db8::1"}) {
    CAPTURE(name);
    const std::string host = name;
    const auto engine =
        legs.accept((host.find(':') == std::string::npos ? host : '[' + host + ']') + ":443");
    const SslCtxPtr context = raw_client();
    RawPeer peer(context.get(), RawPeer::Role::kClient);
    REQUIRE(talk(*engine, peer));
    CHECK(has_san(peer.ssl(), nullptr, name));
    CHECK_FALSE(has_san(peer.ssl(), name, nullptr));
  }
}

struct HelloSeen {
  int calls = 0;
  ClientHello last;
};

std::unique_ptr<Engine> accept_with(Legs& legs, HelloSeen& seen, base::Result<void> answer) {
  ServerContext::Options options;
  options.authority = authority("a.test:443");
  options.offer_h2 = true;
  options.on_hello = [&seen, answer](const ClientHello& hello) {
    ++seen.calls;
    seen.last = hello;
    return answer;
  };
  return legs.server->accept(std::move(options));
}

TEST_CASE("on_hello sees what the client said, before anything is sent") {
  Legs legs;
  HelloSeen seen;
  const auto engine = accept_with(legs, seen, {});
  const SslCtxPtr context = raw_client();
  RawPeer peer(context.get(), RawPeer::Role::kClient);
  SSL_set_tlsext_host_name(peer.ssl(), "A.test");
  offer(peer, {"h2", "ftp"});
  REQUIRE(talk(*engine, peer));
  CHECK(seen.calls == 1);
  CHECK(seen.last.sni == "A.test");
  CHECK(seen.last.alpn == std::vector<std::string>{"h2", "ftp"});
  CHECK_FALSE(seen.last.has_ech);
}

TEST_CASE("on_hello is asked once when the client has to try again with another group") {
  Legs legs;
  HelloSeen seen;
  const auto engine = accept_with(legs, seen, {});
  const SslCtxPtr context = raw_client();
  SSL_CTX_set1_groups_list(context.get(), "P-521:X25519");  // its key share is for P-521
  RawPeer peer(context.get(), RawPeer::Role::kClient);
  SSL_set_tlsext_host_name(peer.ssl(), "a.test");
  REQUIRE(talk(*engine, peer));
  CHECK(engine->is_established());
  CHECK(seen.calls == 1);
}

TEST_CASE("a refusal of on_hello becomes the right alert and the error of receive") {
  Legs legs;
  const std::pair<base::Code, int> cases[] = {
      {base::Code::kNameMismatch, SSL_AD_UNRECOGNIZED_NAME},
      {base::Code::kAddressNotAllowed, SSL_AD_ACCESS_DENIED}};
  for (const auto& [code, alert] : cases) {
    HelloSeen seen;
    const auto engine = accept_with(legs, seen, base::fail(code, base::Fault::kClient, "no"));
    const SslCtxPtr context = raw_client();
    RawPeer peer(context.get(), RawPeer::Role::kClient);
    SSL_set_tlsext_host_name(peer.ssl(), "b.test");
    const auto result = talk(*engine, peer);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == code);
    CHECK(result.error().detail == "no");
    CHECK(peer.alert() == alert);
    CHECK(SSL_get0_peer_certificate(peer.ssl()) == nullptr);
  }
}

int add_grease(SSL*, unsigned, unsigned, const unsigned char** out, std::size_t* size, X509*,
               std::size_t, int*, void*) {
  *out = bytes_of("grease");
  *size = 6;
  return 1;
}

TEST_CASE("a client that greases ECH is served, and on_hello knows") {
  Legs legs;
  HelloSeen seen;
  const auto engine = accept_with(legs, seen, {});
  const SslCtxPtr context = raw_client();
  REQUIRE(SSL_CTX_add_custom_ext(context.get(), 0xfe0d, SSL_EXT_CLIENT_HELLO, add_grease, nullptr,
                                 nullptr, nullptr, nullptr) == 1);
  RawPeer peer(context.get(), RawPeer::Role::kClient);
  REQUIRE(talk(*engine, peer));
  CHECK(seen.last.has_ech);
  CHECK(peer.is_done());
}

TEST_CASE("a ClientHello in one-byte records is served like any other") {
  Legs legs;
  HelloSeen seen;
  const auto engine = accept_with(legs, seen, {});
  const SslCtxPtr context = raw_client();
  RawPeer peer(context.get(), RawPeer::Role::kClient);
  SSL_set_tlsext_host_name(peer.ssl(), "a.test");
  std::string cut;
  for (const char c : peer.step("").substr(5)) cut += std::string("\x16\x03\x01\0\x01", 5) + c;
  std::string plain;
  REQUIRE(engine->receive(cut, plain));
  CHECK(seen.last.sni == "a.test");
  REQUIRE(talk(*engine, peer, plain));
  CHECK(engine->is_established());
}

TEST_CASE("the handshake waits for its leaf and goes on by itself") {
  Legs legs;
  SlowLeaves slow(*legs.issuer);
  const auto context = make_server_context(slow);
  REQUIRE(context);
  ServerContext::Options options;
  options.authority = authority("a.test:443");
  int resumed = 0;
  options.on_resumed = [&](const base::Result<void>& result) {
    CHECK(result);
    ++resumed;
  };
  const auto server = (*context)->accept(std::move(options));
  const auto client = legs.connect("a.test:443");
  std::string plain;
  REQUIRE(server->receive(std::exchange(client->output(), {}), plain));
  CHECK(slow.waiting() == 1);
  CHECK(server->output().empty());
  REQUIRE(server->receive("", plain));  // nothing changes by asking
  CHECK(resumed == 0);
  slow.answer();
  CHECK(resumed == 1);
  CHECK_FALSE(server->output().empty());
  REQUIRE(talk(*client, *server, plain, plain));
  CHECK(server->is_established());
  CHECK(client->is_established());
}

TEST_CASE("a leaf that does not come ends the handshake with its reason") {
  Legs legs;
  SlowLeaves slow(*legs.issuer);
  const auto context = make_server_context(slow);
  REQUIRE(context);
  ServerContext::Options options;
  options.authority = authority("a.test:443");
  std::string told;
  options.on_resumed = [&](const base::Result<void>& result) { told = result.error().text(); };
  const auto server = (*context)->accept(std::move(options));
  const auto client = legs.connect("a.test:443");
  std::string plain;
  REQUIRE(server->receive(client->output(), plain));
  slow.fail();
  CHECK(told == "io: no signer");
  CHECK_FALSE(server->output().empty());  // the alert
  CHECK_FALSE(server->receive("", plain));
}

TEST_CASE("an engine may go while its leaf is on the way, or in the call that tells of it") {
  Legs legs;
  SlowLeaves slow(*legs.issuer);
  const auto context = make_server_context(slow);
  REQUIRE(context);
  std::string plain;
  std::unique_ptr<Engine> server;
  for (int i = 0; i < 2; ++i) {
    ServerContext::Options options;
    options.authority = authority("a.test:443");
    options.on_resumed = [&server](const base::Result<void>&) { server.reset(); };
    server = (*context)->accept(std::move(options));
    const auto client = legs.connect("a.test:443");
    REQUIRE(server->receive(client->output(), plain));
  }
  CHECK(slow.waiting() == 2);
  slow.answer();  // its engine is gone
  CHECK(server != nullptr);
  slow.answer();
  CHECK(server == nullptr);
}

TEST_CASE("what a client sends while its leaf is minted is bounded") {
  Legs legs;
  SlowLeaves slow(*legs.issuer);
  const auto context = make_server_context(slow);
  REQUIRE(context);
  ServerContext::Options options;
  options.authority = authority("a.test:443");
  const auto server = (*context)->accept(std::move(options));
  const auto client = legs.connect("a.test:443");
  std::string plain;
  REQUIRE(server->receive(client->output(), plain));
  base::Result<void> result;
  int rounds = 0;
  while (result && rounds < 100) {
    result = server->receive(std::string(10000, 'x'), plain);
    ++rounds;
  }
  CHECK(rounds < 10);
  slow.answer();  // comes too late, hurts nobody
  CHECK_FALSE(server->is_established());
}

// Connects with `session`, says whether it was resumed, keeps the new session.
bool resumes(Engine& engine, SSL_CTX* context, SessionPtr& session) {
  RawPeer peer(context, RawPeer::Role::kClient);
  if (session != nullptr) SSL_set_session(peer.ssl(), session.get());
  std::string plain;
  REQUIRE(talk(engine, peer, plain));
  REQUIRE(engine.send("x"));  // the ticket of TLS 1.3 is read with it
  REQUIRE(talk(engine, peer, plain));
  const bool is_resumed = SSL_session_reused(peer.ssl()) == 1;
  CHECK(engine.session().was_resumed == is_resumed);
  session.reset(SSL_get1_session(peer.ssl()));
  CHECK(SSL_SESSION_is_resumable(session.get()) == 1);
  SSL_shutdown(peer.ssl());
  return is_resumed;
}

TEST_CASE("a ticket is good for its authority and scope, at any worker, and for nothing else") {
  Legs legs;
  const auto other_worker = make_server_context(*legs.leaves);
  REQUIRE(other_worker);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    const SslCtxPtr context = raw_client();
    SSL_CTX_set_max_proto_version(context.get(), version);
    SessionPtr session;
    CHECK_FALSE(resumes(*legs.accept("a.test:443"), context.get(), session));
    CHECK(resumes(*legs.accept("a.test:443"), context.get(), session));
    ServerContext::Options options;
    options.authority = authority("a.test:443");
    options.ticket_scope = "agent/1";
    CHECK(resumes(*(*other_worker)->accept(options), context.get(), session));

    SessionPtr for_a(SSL_SESSION_dup(session.get()));
    CHECK_FALSE(resumes(*legs.accept("b.test:443"), context.get(), for_a));
    for_a.reset(SSL_SESSION_dup(session.get()));
    CHECK_FALSE(resumes(*legs.accept("a.test:8443"), context.get(), for_a));
    for_a.reset(SSL_SESSION_dup(session.get()));
    CHECK_FALSE(resumes(*legs.accept("a.test:443", "agent/2"), context.get(), for_a));
    CHECK(resumes(*legs.accept("a.test:443"), context.get(), session));
  }
}

TEST_CASE("a resumed handshake asks on_hello too, and mints nothing") {
  Legs legs;
  SlowLeaves slow(*legs.issuer);
  const auto waiting = make_server_context(slow);
  REQUIRE(waiting);
  const SslCtxPtr context = raw_client();
  SessionPtr session;
  CHECK_FALSE(resumes(*legs.accept("a.test:443", ""), context.get(), session));
  ServerContext::Options options;
  options.authority = authority("a.test:443");
  int calls = 0;
  options.on_hello = [&calls](const ClientHello&) {
    ++calls;
    return base::Result<void>{};
  };
  CHECK(resumes(*(*waiting)->accept(options), context.get(), session));
  CHECK(calls == 1);
  CHECK(slow.waiting() == 0);
}

TEST_CASE("early data is neither promised nor read") {
  Legs legs;
  const SslCtxPtr context = raw_client();
  SessionPtr session;
  CHECK_FALSE(resumes(*legs.accept("a.test:443"), context.get(), session));
  CHECK(SSL_SESSION_get_max_early_data(session.get()) == 0);

  SSL_SESSION_set_max_early_data(session.get(), 1000);
  const auto engine = legs.accept("a.test:443");
  RawPeer peer(context.get(), RawPeer::Role::kClient);
  SSL_set_session(peer.ssl(), session.get());
  std::size_t put = 0;
  REQUIRE(SSL_write_early_data(peer.ssl(), "POST / once", 11, &put) == 1);
  std::string plain;
  REQUIRE(talk(*engine, peer, plain));
  CHECK(engine->is_established());
  CHECK(SSL_get_early_data_status(peer.ssl()) == SSL_EARLY_DATA_REJECTED);
  CHECK(plain.empty());
  peer.write("after");
  REQUIRE(talk(*engine, peer, plain));
  CHECK(plain == "after");
}

TEST_CASE("suites without forward secrecy or AEAD are refused") {
  Legs legs;
  for (const char* suites : {"AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "NULL"}) {
    CAPTURE(suites);
    const SslCtxPtr context = raw_client();
    SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
    REQUIRE(SSL_CTX_set_cipher_list(context.get(), suites) == 1);
    RawPeer peer(context.get(), RawPeer::Role::kClient);
    const auto engine = legs.accept("a.test:443");
    CHECK_FALSE(talk(*engine, peer));
    CHECK(peer.alert() == SSL_AD_HANDSHAKE_FAILURE);
  }
}

TEST_CASE("leash prefers AES-128, whatever the client puts first") {
  Legs legs;
  const SslCtxPtr context = raw_client();
  SSL_CTX_set_ciphersuites(context.get(), "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256");
  RawPeer peer(context.get(), RawPeer::Role::kClient);
  const auto engine = legs.accept("a.test:443");
  REQUIRE(talk(*engine, peer));
  CHECK(engine->session().cipher == "TLS_AES_128_GCM_SHA256");
}

}  // namespace
}  // namespace leash::tls
