// The client leg: our side answers the agent's handshake.
#include <openssl/err.h>

#include <array>

#include "tls/digest.h"
#include "tls/engine_base.h"
#include "tls/leaf.h"
#include "tls/ticket_keys.h"

namespace leash::tls {
namespace {

using base::Code;
using base::Fault;

// Each resumption brings a new ticket, so a client that keeps coming back never pays the full price
// again; the policy's generation is in the ticket's scope, so a long life costs no freshness.
constexpr long kTicketSeconds = 2 * 60 * 60;

std::string_view text_of(const unsigned char* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

// What a callback from the leaf source finds of an engine that may be gone.
class ServerEngine;
struct LeafWait {
  ServerEngine* engine;
};

class ServerEngine final : public EngineBase {
 public:
  ServerEngine(SSL_CTX* context, LeafSource& leaves, ServerContext::Options options);
  ~ServerEngine() override { wait_->engine = nullptr; }

  int on_client_hello(int* alert);
  int on_certificate_wanted();
  int on_alpn(const unsigned char** out, unsigned char* out_size, std::string_view offered) const;
  void on_leaf(base::Result<std::shared_ptr<const Leaf>> leaf);

 private:
  base::Result<void> check_handshake() override;
  [[nodiscard]] std::optional<base::Error> known_reason() const override { return reason_; }
  base::Result<ClientHello> read_hello() const;
  int refuse(int alert_code, base::Error why, int* alert);
  void ask_for_leaf();
  [[nodiscard]] bool use_leaf();

  LeafSource& leaves_;
  ServerContext::Options options_;
  std::shared_ptr<LeafWait> wait_;
  std::optional<ClientHello> hello_;  // until the handshake is done
  std::shared_ptr<const Leaf> leaf_;
  std::optional<base::Error> reason_;
  bool has_asked_ = false;
  bool is_asking_ = false;
};

ServerEngine& engine_of(SSL* ssl) { return *static_cast<ServerEngine*>(SSL_get_app_data(ssl)); }

int client_hello_callback(SSL* ssl, int* alert, void*) noexcept {
  return engine_of(ssl).on_client_hello(alert);
}
int certificate_callback(SSL* ssl, void*) noexcept {
  return engine_of(ssl).on_certificate_wanted();
}
int alpn_callback(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                  const unsigned char* in, unsigned in_size, void*) noexcept {
  return engine_of(ssl).on_alpn(out, out_size, text_of(in, in_size));
}

ServerEngine::ServerEngine(SSL_CTX* context, LeafSource& leaves, ServerContext::Options options)
    : EngineBase(context, Peer::kClient),
      leaves_(leaves),
      options_(std::move(options)),
      wait_(std::make_shared<LeafWait>(LeafWait{this})) {
  if (ssl() == nullptr) return;
  SSL_set_app_data(ssl(), this);
  SSL_set_accept_state(ssl());
  // A session of another context id is not resumed (threats: tickets across names, agents,
  // policies).
  const std::string authority = options_.authority.text() + '\n';
  const Digest scope = sha256(authority, options_.ticket_scope);
  static_assert(sizeof scope <= SSL_MAX_SID_CTX_LENGTH);
  SSL_set_session_id_context(ssl(), scope.data(), static_cast<unsigned>(scope.size()));
}

base::Result<ClientHello> ServerEngine::read_hello() const {
  const unsigned char* body = nullptr;
  std::size_t size = 0;
  ClientHello hello;
  if (SSL_client_hello_get0_ext(ssl(), kServerNameExtension, &body, &size) == 1) {
    auto name = parse_server_name(text_of(body, size));
    if (!name) return tl::unexpected(name.error());
    hello.sni = std::move(*name);
  }
  if (SSL_client_hello_get0_ext(ssl(), kAlpnExtension, &body, &size) == 1) {
    auto names = parse_alpn(text_of(body, size));
    if (!names) return tl::unexpected(names.error());
    hello.alpn = std::move(*names);
  }
  for (unsigned type = kFirstEchExtension; type <= kLastEchExtension; ++type) {
    hello.has_ech |= SSL_client_hello_get0_ext(ssl(), type, &body, &size) == 1;
  }
  return hello;
}

int ServerEngine::refuse(int alert_code, base::Error why, int* alert) {
  reason_ = std::move(why);
  *alert = alert_code;
  return SSL_CLIENT_HELLO_ERROR;
}

int ServerEngine::on_client_hello(int* alert) {
  auto hello = read_hello();
  if (!hello) return refuse(SSL_AD_DECODE_ERROR, hello.error(), alert);
  if (hello_) {
    // After a HelloRetryRequest the same hello comes again (RFC 8446 s. 4.1.2); what was checked
    // must be what is used.
    if (hello->sni == hello_->sni && hello->alpn == hello_->alpn) return SSL_CLIENT_HELLO_SUCCESS;
    return refuse(SSL_AD_ILLEGAL_PARAMETER,
                  {Code::kBadClientHello, Fault::kClient, "the second ClientHello differs"}, alert);
  }
  hello_ = std::move(*hello);
  if (!options_.on_hello) return SSL_CLIENT_HELLO_SUCCESS;
  auto allowed = options_.on_hello(*hello_);
  if (allowed) return SSL_CLIENT_HELLO_SUCCESS;
  const int code =
      allowed.error().code == Code::kNameMismatch ? SSL_AD_UNRECOGNIZED_NAME : SSL_AD_ACCESS_DENIED;
  return refuse(code, std::move(allowed.error()), alert);
}

int ServerEngine::on_certificate_wanted() {
  if (!has_asked_) ask_for_leaf();
  if (leaf_ != nullptr) return use_leaf() ? 1 : 0;
  return reason_ ? 0 : -1;  // -1 suspends the handshake
}

void ServerEngine::ask_for_leaf() {
  has_asked_ = true;
  is_asking_ = true;
  leaves_.leaf_for(options_.authority.host,
                   [wait = wait_](base::Result<std::shared_ptr<const Leaf>> leaf) {
                     if (wait->engine != nullptr) wait->engine->on_leaf(std::move(leaf));
                   });
  is_asking_ = false;
}

bool ServerEngine::use_leaf() {
  return SSL_use_cert_and_key(ssl(), leaf_->certificate(), leaf_->key(), nullptr, 1) == 1;
}

void ServerEngine::on_leaf(base::Result<std::shared_ptr<const Leaf>> leaf) {
  if (leaf && *leaf != nullptr) {
    leaf_ = std::move(*leaf);
  } else {
    reason_ = leaf ? base::Error{Code::kInternal, Fault::kProxy, "no leaf"} : leaf.error();
  }
  if (is_asking_ || !is_suspended()) return;
  const auto result = resume();
  // A copy: the owner may destroy this engine in there.
  const auto tell = options_.on_resumed;
  if (tell) tell(result);
}

int ServerEngine::on_alpn(const unsigned char** out, unsigned char* out_size,
                          std::string_view) const {
  static constexpr std::string_view kH2 = "h2";
  static constexpr std::string_view kHttp1 = "http/1.1";
  const auto offers = [this](std::string_view name) {
    for (const std::string& one : hello_->alpn) {
      if (one == name) return true;
    }
    return false;
  };
  std::string_view chosen;
  if (options_.offer_h2 && offers(kH2)) {
    chosen = kH2;
  } else if (offers(kHttp1)) {
    chosen = kHttp1;
  } else {
    return SSL_TLSEXT_ERR_ALERT_FATAL;  // no_application_protocol (RFC 7301 s. 3.2; ALPACA)
  }
  *out = bytes_of(chosen);
  *out_size = static_cast<unsigned char>(chosen.size());
  return SSL_TLSEXT_ERR_OK;
}

base::Result<void> ServerEngine::check_handshake() {
  // OpenSSL holds its own references; an idle connection needs none of these.
  leaf_.reset();
  hello_.reset();
  options_.on_hello = nullptr;
  return {};
}

class ServerContextImpl final : public ServerContext {
 public:
  ServerContextImpl(SslCtxPtr context, LeafSource& leaves)
      : leaves_(leaves), context_(std::move(context)) {}

  std::unique_ptr<Engine> accept(Options options) override {
    return std::make_unique<ServerEngine>(context_.get(), leaves_, std::move(options));
  }

 private:
  LeafSource& leaves_;
  SslCtxPtr context_;
};

// OpenSSL 3.0 shows only extensions that it knows; told of these, it keeps their bytes and
// otherwise ignores them.
bool show_ech(SSL_CTX* context) {
  for (unsigned type = kFirstEchExtension; type <= kLastEchExtension; ++type) {
    if (SSL_extension_supported(type) == 1) continue;
    if (SSL_CTX_add_custom_ext(context, type, SSL_EXT_CLIENT_HELLO, nullptr, nullptr, nullptr,
                               nullptr, nullptr) != 1) {
      return false;
    }
  }
  return true;
}

}  // namespace

base::Result<std::unique_ptr<ServerContext>> make_server_context(LeafSource& leaves) {
  SslCtxPtr context = make_ssl_ctx(TLS_server_method());
  SSL_CTX* c = context.get();
  const bool is_set =
      c != nullptr && TicketKeys::use_process_keys(c) && show_ech(c) &&
      // Leaves are ECDSA, so that is all there is to offer.
      SSL_CTX_set_cipher_list(c,
                              "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
                              "ECDHE-ECDSA-CHACHA20-POLY1305") == 1 &&
      SSL_CTX_set_num_tickets(c, 1) == 1;
  if (!is_set) return base::fail(Code::kInternal, Fault::kProxy, "TLS set-up: " + drain_errors());
  SSL_CTX_set_options(c, SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);  // tickets carry it all
  SSL_CTX_set_timeout(c, kTicketSeconds);
  SSL_CTX_set_client_hello_cb(c, client_hello_callback, nullptr);
  SSL_CTX_set_cert_cb(c, certificate_callback, nullptr);
  SSL_CTX_set_alpn_select_cb(c, alpn_callback, nullptr);
  return std::make_unique<ServerContextImpl>(std::move(context), leaves);
}

}  // namespace leash::tls
