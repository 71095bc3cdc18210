// The origin leg, against origins good and bad.
#include <doctest/doctest.h>

#include <string>

#include "base/text.h"
#include "tls/digest.h"
#include "unit/tls/temp_dir.h"
#include "unit/tls/test_pki.h"

namespace leash::tls {
namespace {

struct Trust {
  Trust() : root(make_root("test root")) {
    dir.put("roots.pem", pem_of(root));
    auto made = make_client_context(dir.file("roots.pem"));
    REQUIRE(made);
    context = std::move(*made);
  }
  std::unique_ptr<Engine> connect(const std::string& name, const std::string& scope = "agent",
                                  bool offer_h2 = true) {
    return context->connect({authority(name), scope, offer_h2});
  }
  // "" for a handshake that succeeds, else its error.
  std::string verdict(const std::string& name, const Identity& origin) {
    const SslCtxPtr server = raw_server(origin);
    RawPeer peer(server.get(), RawPeer::Role::kServer);
    const auto engine = connect(name);
    const auto result = talk(*engine, peer);
    if (result) {
      REQUIRE(engine->is_established());
      return {};
    }
    CHECK(result.error().code == base::Code::kTlsServer);
    CHECK(result.error().fault == base::Fault::kOrigin);
    CHECK_FALSE(engine->is_established());
    return result.error().detail;
  }
  std::string verdict(const std::string& name, const CertSpec& spec) {
    return verdict(name, make_identity(spec, &root));
  }

  Identity root;
  TempDir dir;
  std::unique_ptr<ClientContext> context;
};

CertSpec spec_for(const std::string& san) {
  CertSpec spec;
  spec.cn = "origin";
  spec.san = san;
  return spec;
}

TEST_CASE("a good origin passes") {
  Trust trust;
  CHECK(trust.verdict("a.test:443", spec_for("DNS:a.test")).empty());
  CHECK(trust.verdict("a.test:443", spec_for("DNS:A.TEST")).empty());
  CHECK(trust.verdict("a.test:443", spec_for("DNS:*.x.test,DNS:a.test")).empty());
  CHECK(trust.verdict("a.x.test:443", spec_for("DNS:*.x.test")).empty());
}

TEST_CASE("an origin that insists on a client certificate is told by that") {
  Trust trust;
  const Identity origin = make_identity(spec_for("DNS:a.test"), &trust.root);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const SslCtxPtr server = raw_server(origin);
    SSL_CTX_set_max_proto_version(server.get(), version);
    SSL_CTX_set_verify(server.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    RawPeer peer(server.get(), RawPeer::Role::kServer);
    const auto engine = trust.connect("a.test:443");
    const auto result = talk(*engine, peer);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == base::Code::kTlsServer);
    CHECK(result.error().detail == (version == TLS1_3_VERSION
                                        ? "the origin sent the alert: certificate required"
                                          " (it had asked for a client certificate)"
                                        : "the origin sent the alert: handshake failure"
                                          " (it had asked for a client certificate)"));
  }
}

TEST_CASE("time is checked") {
  Trust trust;
  CertSpec old = spec_for("DNS:a.test");
  old.begins = std::chrono::hours(-48);
  old.ends = std::chrono::hours(-1);
  CHECK(trust.verdict("a.test:443", old) == "certificate has expired");
  CertSpec early = spec_for("DNS:a.test");
  early.begins = std::chrono::hours(1);
  CHECK(trust.verdict("a.test:443", early) == "certificate is not yet valid");
}

TEST_CASE("the chain is checked") {
  Trust trust;
  CHECK(trust.verdict("a.test:443", make_identity(spec_for("DNS:a.test"))) ==
        "self-signed certificate");
  const Identity stranger = make_root("stranger");
  Identity foreign = make_identity(spec_for("DNS:a.test"), &stranger);
  CHECK(trust.verdict("a.test:443", foreign) == "unable to get local issuer certificate");
  foreign.chain = {stranger.certificate.get()};
  CHECK(trust.verdict("a.test:443", foreign) == "self-signed certificate in certificate chain");

  // An end certificate that signs another.
  const Identity end = make_identity(spec_for("DNS:b.test"), &trust.root);
  Identity below = make_identity(spec_for("DNS:a.test"), &end);
  below.chain = {end.certificate.get()};
  CHECK(trust.verdict("a.test:443", below) == "invalid CA certificate");

  CertSpec middle_spec;
  middle_spec.cn = "middle";
  middle_spec.eku.clear();
  middle_spec.constraints = "critical,CA:TRUE";
  const Identity middle = make_identity(middle_spec, &trust.root);
  Identity proper = make_identity(spec_for("DNS:a.test"), &middle);
  CHECK(trust.verdict("a.test:443", proper) == "unable to get local issuer certificate");
  proper.chain = {middle.certificate.get()};
  CHECK(trust.verdict("a.test:443", proper).empty());

  middle_spec.cn = "narrow";
  middle_spec.name_constraints = "permitted;DNS:b.test";
  const Identity narrow = make_identity(middle_spec, &trust.root);
  Identity outside = make_identity(spec_for("DNS:a.test"), &narrow);
  outside.chain = {narrow.certificate.get()};
  CHECK(trust.verdict("a.test:443", outside) == "permitted subtree violation");
}

TEST_CASE("a chain that was good before is good for its own names only") {
  Trust trust;
  const Identity origin =
      make_identity(spec_for("DNS:a.test,DNS:*.x.test,IP:192.0.2.1"), &trust.root);
  for (int round = 0; round < 2; ++round) {
    CHECK(trust.verdict("a.test:443", origin).empty());
    CHECK(trust.verdict("b.x.test:443", origin).empty());
    CHECK(trust.verdict("192.0.2.1:443", origin).empty());
    CHECK(trust.verdict("b.test:443", origin) == "hostname mismatch");
    CHECK(trust.verdict("b.c.x.test:443", origin) == "hostname mismatch");
    CHECK(trust.verdict("192.0.2.2:443", origin) == "IP address mismatch");
  }
}

TEST_CASE("what was verified for one trust store is not for another") {
  Trust trust;
  const Identity origin = make_identity(spec_for("DNS:a.test"), &trust.root);
  CHECK(trust.verdict("a.test:443", origin).empty());
  Trust other;
  CHECK(other.verdict("a.test:443", origin) == "unable to get local issuer certificate");
}

TEST_CASE("the name is checked, by subjectAltName alone") {
  Trust trust;
  const std::string kMismatch = "hostname mismatch";
  CHECK(trust.verdict("a.test:443", spec_for("DNS:b.test")) == kMismatch);
  CHECK(trust.verdict("a.test:443", spec_for("DNS:test")) == kMismatch);
  CHECK(trust.verdict("a.test:443", spec_for("DNS:x.a.test")) == kMismatch);
  CHECK(trust.verdict("a.b.x.test:443", spec_for("DNS:*.x.test")) == kMismatch);
  CHECK(trust.verdict("x.test:443", spec_for("DNS:*.x.test")) == kMismatch);
  CHECK(trust.verdict("foo.x.test:443", spec_for("DNS:f*.x.test")) == kMismatch);
  CHECK(trust.verdict("foo.x.test:443", spec_for("DNS:*o.x.test")) == kMismatch);
  CHECK(trust.verdict("a.x.test:443", spec_for("DNS:a.*.test")) == kMismatch);
  CHECK(trust.verdict("a.test:443", spec_for("DNS:*")) == kMismatch);
  CHECK(trust.verdict("a.test:443", spec_for("DNS:*.test")) == kMismatch);
  CHECK(trust.verdict("a.test:443", spec_for("IP:127.0.0.1")) == kMismatch);
  CHECK(trust.verdict("a.test:443", spec_for(std::string("!a.test\0.evil", 13))) == kMismatch);
  CertSpec by_cn;
  by_cn.cn = "a.test";
  CHECK(trust.verdict("a.test:443", by_cn) == kMismatch);
}

TEST_CASE("an address matches iPAddress and nothing else") {
  Trust trust;
  CHECK(trust.verdict("127.0.0.1:443", spec_for("IP:127.0.0.1")).empty());
  CHECK(trust.verdict("[2001:db8::1]:443", spec_for("IP:2001:db8::1")).empty());
  const std::string kMismatch = "IP address mismatch";
  CHECK(trust.verdict("127.0.0.1:443", spec_for("!127.0.0.1")) == kMismatch);
  CHECK(trust.verdict("127.0.0.1:443", spec_for("IP:127.0.0.2")) == kMismatch);
  CHECK(trust.verdict("127.0.0.1:443", spec_for("DNS:a.test")) == kMismatch);
  CertSpec by_cn;
  by_cn.cn = "127.0.0.1";
  CHECK(trust.verdict("127.0.0.1:443", by_cn) == kMismatch);
}

TEST_CASE("a certificate for something else than servers is refused") {
  Trust trust;
  CertSpec spec = spec_for("DNS:a.test");
  spec.eku = "clientAuth";
  CHECK(trust.verdict("a.test:443", spec).find("purpose") != std::string::npos);
  spec.eku = "clientAuth,serverAuth";
  CHECK(trust.verdict("a.test:443", spec).empty());
}

TEST_CASE("a short RSA key is refused") {
  Trust trust;
  CertSpec spec = spec_for("DNS:a.test");
  spec.rsa_bits = 1024;
  CHECK_FALSE(trust.verdict("a.test:443", spec).empty());
  spec.rsa_bits = 2048;
  CHECK(trust.verdict("a.test:443", spec).empty());
}

TEST_CASE("an engine without a name to check connects to nobody") {
  Trust trust;
  const auto engine = trust.context->connect({});
  std::string plain;
  CHECK(engine->output().empty());
  CHECK_FALSE(engine->receive("", plain));
}

int remember_sni(SSL* ssl, int*, void* to) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  *static_cast<std::string*>(to) = name != nullptr ? name : "(none)";
  return SSL_TLSEXT_ERR_OK;
}

TEST_CASE("SNI names hosts and never addresses") {
  Trust trust;
  const Identity origin = make_identity(spec_for("DNS:a.test,IP:127.0.0.1"), &trust.root);
  const SslCtxPtr server = raw_server(origin);
  std::string sni;
  SSL_CTX_set_tlsext_servername_callback(server.get(), remember_sni);
  SSL_CTX_set_tlsext_servername_arg(server.get(), &sni);
  for (const auto& [name, expected] :
       {std::pair{"a.test:443", "a.test"}, std::pair{"127.0.0.1:443", "(none)"}}) {
    RawPeer peer(server.get(), RawPeer::Role::kServer);
    const auto engine = trust.connect(name);
    REQUIRE(talk(*engine, peer));
    CHECK(sni == expected);
  }
}

int choose(SSL*, const unsigned char** out, unsigned char* size, const unsigned char*, unsigned,
           void* name) {
  *out = static_cast<const unsigned char*>(name);
  *size = static_cast<unsigned char>(std::string_view(static_cast<char*>(name)).size());
  return SSL_TLSEXT_ERR_OK;
}

TEST_CASE("a protocol that was not offered ends the connection") {
  Trust trust;
  const Identity origin = make_identity(spec_for("DNS:a.test"), &trust.root);
  const auto chosen = [&](std::string name, bool offer_h2) {
    const SslCtxPtr server = raw_server(origin);
    SSL_CTX_set_alpn_select_cb(server.get(), choose, name.data());
    RawPeer peer(server.get(), RawPeer::Role::kServer);
    const auto engine = trust.connect("a.test:443", "agent", offer_h2);
    const auto result = talk(*engine, peer);
    return result ? engine->session().alpn : "refused";
  };
  CHECK(chosen("h2", true) == "h2");
  CHECK(chosen("http/1.1", true) == "http/1.1");
  CHECK(chosen("http/1.1", false) == "http/1.1");
  CHECK(chosen("h2", false) == "refused");
  CHECK(chosen("ftp", true) == "refused");
}

// One connection; says whether it was resumed.
bool resumes(Trust& trust, SSL_CTX* server, const std::string& name, const std::string& scope,
             std::string* certificate = nullptr) {
  RawPeer peer(server, RawPeer::Role::kServer);
  const auto engine = trust.connect(name, scope);
  REQUIRE(talk(*engine, peer));
  REQUIRE(engine->is_established());
  if (certificate != nullptr) *certificate = engine->session().origin_cert_sha256;
  return engine->session().was_resumed;
}

TEST_CASE("sessions are reused by authority and scope, and keep the certificate's hash") {
  Trust trust;
  const Identity origin = make_identity(spec_for("DNS:a.test,DNS:b.test"), &trust.root);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    const SslCtxPtr server = raw_server(origin);
    SSL_CTX_set_max_proto_version(server.get(), version);
    const std::string scope = "agent " + std::to_string(version);
    std::string first;
    std::string second;
    CHECK_FALSE(resumes(trust, server.get(), "a.test:443", scope, &first));
    CHECK(resumes(trust, server.get(), "a.test:443", scope, &second));
    CHECK(first.size() == 64);
    CHECK(first == second);
    CHECK_FALSE(resumes(trust, server.get(), "b.test:443", scope));
    CHECK_FALSE(resumes(trust, server.get(), "a.test:8443", scope));
    CHECK_FALSE(resumes(trust, server.get(), "a.test:443", scope + "2"));
    CHECK(resumes(trust, server.get(), "a.test:443", scope));
  }
}

TEST_CASE("the certificate's hash is the SHA-256 of its DER") {
  Trust trust;
  const Identity origin = make_identity(spec_for("DNS:a.test"), &trust.root);
  const SslCtxPtr server = raw_server(origin);
  std::string hash;
  resumes(trust, server.get(), "a.test:443", "agent", &hash);
  std::string der(static_cast<std::size_t>(i2d_X509(origin.certificate.get(), nullptr)), '\0');
  auto* to = reinterpret_cast<unsigned char*>(der.data());
  i2d_X509(origin.certificate.get(), &to);
  CHECK(hash == hex(sha256(der)));
}

TEST_CASE("a TLS 1.3 ticket is used once") {
  Trust trust;
  const Identity origin = make_identity(spec_for("DNS:a.test"), &trust.root);
  const SslCtxPtr server = raw_server(origin);
  SSL_CTX_set_num_tickets(server.get(), 1);
  CHECK_FALSE(resumes(trust, server.get(), "a.test:443", "agent"));
  SSL_CTX_set_num_tickets(server.get(), 0);
  CHECK(resumes(trust, server.get(), "a.test:443", "agent"));  // may bring no new one
  CHECK_FALSE(resumes(trust, server.get(), "a.test:443", "agent"));
}

TEST_CASE("early data is never sent, though the ticket allows it") {
  Trust trust;
  const Identity origin = make_identity(spec_for("DNS:a.test"), &trust.root);
  const SslCtxPtr server = raw_server(origin);
  SSL_CTX_set_max_early_data(server.get(), 16384);
  SSL_CTX_set_options(server.get(), SSL_OP_NO_ANTI_REPLAY);  // tickets without a cache
  CHECK_FALSE(resumes(trust, server.get(), "a.test:443", "agent"));
  RawPeer peer(server.get(), RawPeer::Role::kServer);
  const auto engine = trust.connect("a.test:443");
  CHECK_FALSE(engine->send("POST / once"));
  REQUIRE(talk(*engine, peer));
  CHECK(engine->session().was_resumed);
  CHECK(SSL_get_early_data_status(peer.ssl()) == SSL_EARLY_DATA_NOT_SENT);
}

TEST_CASE("half a post-handshake message holds data back but loses none") {
  Trust trust;
  const Identity origin = make_identity(spec_for("DNS:a.test"), &trust.root);
  const SslCtxPtr server = raw_server(origin);
  SSL_CTX_set_num_tickets(server.get(), 0);
  SSL_CTX_set_max_send_fragment(server.get(), 512);
  RawPeer peer(server.get(), RawPeer::Role::kServer);
  const auto engine = trust.connect("a.test:443");
  REQUIRE(talk(*engine, peer));
  // A ticket that carries much is cut into several records.
  REQUIRE(SSL_new_session_ticket(peer.ssl()) == 1);
  SSL_SESSION_set1_ticket_appdata(SSL_get_session(peer.ssl()), std::string(2000, 't').data(), 2000);
  REQUIRE(SSL_do_handshake(peer.ssl()) == 1);
  const std::string ticket = peer.step("");
  REQUIRE(ticket.size() > 1000);
  std::string plain;
  REQUIRE(engine->receive(ticket.substr(0, 600), plain));
  REQUIRE(engine->send("one "));
  REQUIRE(engine->send("two"));
  REQUIRE(engine->receive(ticket.substr(600), plain));
  REQUIRE(talk(*engine, peer, plain));
  CHECK(peer.plain() == "one two");
}

TEST_CASE("a file of roots that is missing, empty or rubbish is a mistake in the settings") {
  TempDir dir;
  dir.put("empty.pem", "");
  dir.put("rubbish.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  for (const char* name : {"missing.pem", "empty.pem", "rubbish.pem"}) {
    CAPTURE(name);
    const auto made = make_client_context(dir.file(name));
    REQUIRE_FALSE(made);
    CHECK(made.error().code == base::Code::kBadConfig);
    CHECK(made.error().detail.find(dir.file(name)) != std::string::npos);
  }
  CHECK(make_client_context(""));
}

}  // namespace
}  // namespace leash::tls
