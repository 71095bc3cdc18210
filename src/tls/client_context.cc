// The origin leg: our side begins the handshake and checks who answers.
#include <openssl/err.h>

#include "base/text.h"
#include "tls/engine_base.h"
#include "tls/session_cache.h"
#include "tls/verified_chains.h"

namespace leash::tls {
namespace {

using base::Code;
using base::Fault;

constexpr std::size_t kMaxSessions = 1024;
constexpr std::size_t kMaxChains = 1024;
constexpr int kMaxChainDepth = 10;

constexpr unsigned kNameFlags =
    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;

constexpr std::string_view kH2AndHttp1 = "\x02h2\x08http/1.1";
constexpr std::string_view kHttp1Only = "\x08http/1.1";

// What a worker's connections to origins remember of those before them.
struct Memory {
  SessionCache sessions{kMaxSessions};
  VerifiedChains chains{kMaxChains};
};

class ClientEngine final : public EngineBase {
 public:
  ClientEngine(SSL_CTX* context, Memory& memory, const ClientContext::Options& options);

  void on_session(SSL_SESSION* session) { memory_.sessions.put(session_key_, session); }
  [[nodiscard]] bool verify(X509_STORE_CTX* presented);
  void on_certificate_request() { was_asked_for_certificate_ = true; }

 private:
  [[nodiscard]] bool set_up();
  [[nodiscard]] bool is_for_host(X509* certificate) const;
  base::Result<void> check_handshake() override;
  [[nodiscard]] std::optional<base::Error> known_reason() const override;
  [[nodiscard]] std::string_view alert_note() const override {
    return was_asked_for_certificate_ ? " (it had asked for a client certificate)" : "";
  }

  Memory& memory_;
  const base::Host host_;
  const bool offers_h2_;
  bool was_asked_for_certificate_ = false;
  std::string session_key_;
};

int session_callback(SSL* ssl, SSL_SESSION* session) noexcept {
  static_cast<ClientEngine*>(SSL_get_app_data(ssl))->on_session(session);
  return 0;  // keeps no reference
}

int verify_callback(X509_STORE_CTX* presented, void*) noexcept {
  auto* ssl = static_cast<SSL*>(
      X509_STORE_CTX_get_ex_data(presented, SSL_get_ex_data_X509_STORE_CTX_idx()));
  return static_cast<ClientEngine*>(SSL_get_app_data(ssl))->verify(presented) ? 1 : 0;
}

// We have none: an agent's own stays with the agent, and origins that insist are for splicing.
int certificate_request_callback(SSL* ssl, X509**, EVP_PKEY**) noexcept {
  static_cast<ClientEngine*>(SSL_get_app_data(ssl))->on_certificate_request();
  return 0;
}

ClientEngine::ClientEngine(SSL_CTX* context, Memory& memory, const ClientContext::Options& options)
    : EngineBase(context, Peer::kOrigin),
      memory_(memory),
      host_(options.authority.host),
      offers_h2_(options.offer_h2),
      session_key_(options.authority.text() + '\n' + options.session_scope) {
  if (ssl() == nullptr) return;
  ERR_clear_error();
  if (!set_up()) {
    fail_start({Code::kInternal, Fault::kProxy, "TLS set-up: " + drain_errors()});
    return;
  }
  start();
}

bool ClientEngine::set_up() {
  SSL_set_app_data(ssl(), this);
  SSL_set_connect_state(ssl());
  if (host_.empty()) return false;  // no name to check against: never "any name"

  X509_VERIFY_PARAM* param = SSL_get0_param(ssl());
  X509_VERIFY_PARAM_set_hostflags(param, kNameFlags);
  if (const auto& ip = host_.ip()) {
    // An address is only ever matched with iPAddress (RFC 2818 s. 3.1), and is no SNI (RFC 6066 s.
    // 3).
    if (X509_VERIFY_PARAM_set1_ip(param, ip->bytes().data(), ip->is_v4() ? 4 : 16) != 1)
      return false;
  } else if (X509_VERIFY_PARAM_set1_host(param, host_.text().data(), host_.text().size()) != 1 ||
             SSL_set_tlsext_host_name(ssl(), host_.text().c_str()) != 1) {
    return false;
  }

  const std::string_view protocols = offers_h2_ ? kH2AndHttp1 : kHttp1Only;
  if (SSL_set_alpn_protos(ssl(), bytes_of(protocols), static_cast<unsigned>(protocols.size())) !=
      0) {
    return false;  // this one function says 0 for success
  }
  const SessionPtr session = memory_.sessions.take(session_key_, std::chrono::system_clock::now());
  return session == nullptr || SSL_set_session(ssl(), session.get()) == 1;
}

// Many names share a chain, and many connections a name; the store that a chain was verified
// against never changes. So of a chain that was good, only what another connection can change is
// looked at again: the time and the name.
bool ClientEngine::verify(X509_STORE_CTX* presented) {
  const auto now = std::chrono::system_clock::now();
  const auto id = VerifiedChains::id_of(presented);
  if (id && memory_.chains.has(*id, now) && is_for_host(X509_STORE_CTX_get0_cert(presented))) {
    X509_STORE_CTX_set_error(presented, X509_V_OK);
    return true;
  }
  if (X509_verify_cert(presented) != 1) return false;
  if (id) memory_.chains.put(*id, presented, now);
  return true;
}

bool ClientEngine::is_for_host(X509* certificate) const {
  if (const auto& ip = host_.ip()) {
    return X509_check_ip(certificate, ip->bytes().data(), ip->is_v4() ? 4 : 16, kNameFlags) == 1;
  }
  return X509_check_host(certificate, host_.text().data(), host_.text().size(), kNameFlags,
                         nullptr) == 1;
}

base::Result<void> ClientEngine::check_handshake() {
  // Belt and braces: a resumed session brings its verify result along, and no option may have lost
  // it.
  if (const long verdict = SSL_get_verify_result(ssl()); verdict != X509_V_OK) {
    return peer_error(X509_verify_cert_error_string(verdict));
  }
  X509* certificate = SSL_get0_peer_certificate(ssl());
  if (certificate == nullptr) return peer_error("no certificate");
  if (!session_.alpn.empty() && session_.alpn != "http/1.1" &&
      !(offers_h2_ && session_.alpn == "h2")) {
    return peer_error("the origin chose a protocol that was not offered");
  }
  char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), reinterpret_cast<unsigned char*>(digest), &size) !=
      1) {
    return base::fail(Code::kInternal, Fault::kProxy, "certificate digest: " + drain_errors());
  }
  base::append_hex(session_.origin_cert_sha256, {digest, size});
  return {};
}

std::optional<base::Error> ClientEngine::known_reason() const {
  const long verdict = SSL_get_verify_result(ssl());
  if (is_established() || verdict == X509_V_OK) return std::nullopt;
  return peer_error(X509_verify_cert_error_string(verdict)).value();
}

class ClientContextImpl final : public ClientContext {
 public:
  explicit ClientContextImpl(SslCtxPtr context) : context_(std::move(context)) {}

  std::unique_ptr<Engine> connect(Options options) override {
    return std::make_unique<ClientEngine>(context_.get(), memory_, options);
  }

 private:
  Memory memory_;
  SslCtxPtr context_;
};

}  // namespace

base::Result<std::unique_ptr<ClientContext>> make_client_context(const std::string& extra_roots) {
  SslCtxPtr context = make_ssl_ctx(TLS_client_method());
  SSL_CTX* c = context.get();
  // Forward secrecy first; RSA key exchange and CBC stay for old origins, as in common clients'
  // defaults.
  const bool is_set =
      c != nullptr &&
      SSL_CTX_set_cipher_list(c,
                              "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:ECDHE+AES:"
                              "RSA+AESGCM:RSA+AES:!aNULL:!eNULL:!PSK:!SRP:!DSS") == 1 &&
      SSL_CTX_set_default_verify_paths(c) == 1;
  if (!is_set) return base::fail(Code::kInternal, Fault::kProxy, "TLS set-up: " + drain_errors());
  if (!extra_roots.empty() && SSL_CTX_load_verify_file(c, extra_roots.c_str()) != 1) {
    return base::fail(Code::kBadConfig, Fault::kProxy,
                      extra_roots + " has no certificates to trust: " + drain_errors());
  }
  SSL_CTX_set_verify(c, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_verify_depth(c, kMaxChainDepth);
  SSL_CTX_set_cert_verify_callback(c, verify_callback, nullptr);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(c, session_callback);
  SSL_CTX_set_client_cert_cb(c, certificate_request_callback);
  return std::make_unique<ClientContextImpl>(std::move(context));
}

}  // namespace leash::tls
