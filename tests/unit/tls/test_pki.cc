#include "unit/tls/test_pki.h"

#include <doctest/doctest.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <spdlog/spdlog.h>

#include "tls/certificate.h"
#include "tls/pem.h"

namespace leash::tls {
namespace {

// What leash would tell its operator is noise here.
const bool kIsQuiet = [] {
  spdlog::set_level(spdlog::level::off);
  return true;
}();

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  if (value.empty()) return;
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  using ExtensionPtr = std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>>;
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  REQUIRE(extension != nullptr);
  REQUIRE(X509_add_ext(certificate, extension.get(), -1) == 1);
}

void add_raw_dns_name(X509* certificate, const std::string& name) {
  using NamesPtr = std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>>;
  const NamesPtr names(GENERAL_NAMES_new());
  GENERAL_NAME* one = GENERAL_NAME_new();
  ASN1_STRING* value = ASN1_STRING_type_new(V_ASN1_IA5STRING);
  ASN1_STRING_set(value, name.data(), static_cast<int>(name.size()));
  GENERAL_NAME_set0_value(one, GEN_DNS, value);
  sk_GENERAL_NAME_push(names.get(), one);
  REQUIRE(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, 0) == 1);
}

}  // namespace

Identity make_identity(const CertSpec& spec, const Identity* issuer) {
  Identity out;
  out.key = spec.rsa_bits == 0 ? new_p256_key()
                               : KeyPtr(EVP_RSA_gen(static_cast<unsigned>(spec.rsa_bits)));
  out.certificate.reset(X509_new());
  X509* c = out.certificate.get();
  X509_set_version(c, X509_VERSION_3);
  static long serial = 1;
  ASN1_INTEGER_set(X509_get_serialNumber(c), serial++);
  X509_gmtime_adj(X509_getm_notBefore(c), std::chrono::seconds(spec.begins).count());
  X509_gmtime_adj(X509_getm_notAfter(c), std::chrono::seconds(spec.ends).count());
  X509_set_pubkey(c, out.key.get());
  if (!spec.cn.empty()) {
    X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_UTF8, bytes_of(spec.cn), -1,
                               -1, 0);
  }
  X509* signer = issuer != nullptr ? issuer->certificate.get() : c;
  X509_set_issuer_name(c, X509_get_subject_name(signer));
  add_extension(c, signer, NID_subject_key_identifier, "hash");
  add_extension(c, signer, NID_authority_key_identifier, "keyid");
  add_extension(c, signer, NID_basic_constraints, spec.constraints);
  add_extension(c, signer, NID_ext_key_usage, spec.eku);
  add_extension(c, signer, NID_name_constraints, spec.name_constraints);
  if (!spec.san.empty() && spec.san.front() == '!') {
    add_raw_dns_name(c, spec.san.substr(1));
  } else {
    add_extension(c, signer, NID_subject_alt_name, spec.san);
  }
  EVP_PKEY* key = issuer != nullptr ? issuer->key.get() : out.key.get();
  REQUIRE(X509_sign(c, key, EVP_sha256()) > 0);
  return out;
}

Identity make_root(const std::string& cn) {
  CertSpec spec;
  spec.cn = cn;
  spec.eku.clear();
  spec.constraints = "critical,CA:TRUE";
  return make_identity(spec);
}

std::string pem_of(const Identity& identity) { return certificate_pem(identity.certificate.get()); }

SslCtxPtr raw_server(const Identity& identity) {
  SslCtxPtr context(SSL_CTX_new(TLS_server_method()));
  SSL_CTX_set_security_level(context.get(), 0);
  REQUIRE(SSL_CTX_use_certificate(context.get(), identity.certificate.get()) == 1);
  REQUIRE(SSL_CTX_use_PrivateKey(context.get(), identity.key.get()) == 1);
  for (X509* more : identity.chain) SSL_CTX_add1_chain_cert(context.get(), more);
  SSL_CTX_set_session_id_context(context.get(), bytes_of("origin"), 6);
  return context;
}

SslCtxPtr raw_client() {
  SslCtxPtr context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_security_level(context.get(), 0);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  return context;
}

RawPeer::RawPeer(SSL_CTX* context, Role role) : ssl_(SSL_new(context)) {
  SSL_set_bio(ssl(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  BIO_set_mem_eof_return(SSL_get_rbio(ssl()), -1);
  SSL_set_ex_data(ssl(), 0, this);
  SSL_set_info_callback(ssl(), &RawPeer::on_info);
  if (role == Role::kServer) {
    SSL_set_accept_state(ssl());
  } else {
    SSL_set_connect_state(ssl());
  }
}

void RawPeer::on_info(const SSL* ssl, int where, int value) {
  if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT) {
    static_cast<RawPeer*>(SSL_get_ex_data(ssl, 0))->alert_ = value & 0xff;
  }
}

std::string RawPeer::step(const std::string& in) {
  ERR_clear_error();
  if (!in.empty()) BIO_write(SSL_get_rbio(ssl()), in.data(), static_cast<int>(in.size()));
  if (!is_done_) is_done_ = SSL_do_handshake(ssl()) == 1;
  if (is_done_) {
    char buffer[4096];
    int got = 0;
    while ((got = SSL_read(ssl(), buffer, sizeof buffer)) > 0) {
      plain_.append(buffer, static_cast<std::size_t>(got));
    }
  }
  ERR_clear_error();
  return take_output();
}

void RawPeer::write(const std::string& plain) {
  REQUIRE(SSL_write(ssl(), plain.data(), static_cast<int>(plain.size())) ==
          static_cast<int>(plain.size()));
}

std::string RawPeer::take_output() {
  char* data = nullptr;
  BIO* out = SSL_get_wbio(ssl());
  const long size = BIO_get_mem_data(out, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_reset(out);
  return text;
}

base::Result<void> talk(Engine& engine, RawPeer& peer, std::string& plain) {
  base::Result<void> result;
  std::string to_peer = std::move(engine.output());
  engine.output().clear();
  for (;;) {
    const std::string from_peer = peer.step(to_peer);
    if (!result || from_peer.empty()) return result;
    result = engine.receive(from_peer, plain);
    to_peer = std::move(engine.output());
    engine.output().clear();
  }
}

base::Result<void> talk(Engine& engine, RawPeer& peer) {
  std::string ignored;
  return talk(engine, peer, ignored);
}

base::Result<void> talk(Engine& a, Engine& b, std::string& plain_a, std::string& plain_b) {
  while (!a.output().empty() || !b.output().empty()) {
    const std::string to_b = std::move(a.output());
    a.output().clear();
    if (auto ok = b.receive(to_b, plain_b); !ok) return ok;
    const std::string to_a = std::move(b.output());
    b.output().clear();
    if (auto ok = a.receive(to_a, plain_a); !ok) return ok;
  }
  return {};
}

base::Authority authority(const std::string& text) {
  auto parsed = base::parse_connect_target(text);
  REQUIRE(parsed);
  return *parsed;
}

}  // namespace leash::tls
