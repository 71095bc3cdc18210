#include "tls/https_context.h"

#include <netinet/in.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <string_view>

#include "tls/leaf.h"
#include "tls/openssl.h"

namespace leash::tls {
namespace {

constexpr std::string_view kHttp11 = "http/1.1";

// Where the connection came in; nullopt for another family.
std::optional<base::Host> local_host(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return std::nullopt;
  if (storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &storage, sizeof v4);
    return base::Host::from_ip(base::IpAddress::v4(ntohl(v4.sin_addr.s_addr)));
  }
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &storage, sizeof v6);
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    return base::Host::from_ip(base::IpAddress::v6(bytes));
  }
  return std::nullopt;
}

class OpenSslHttpsContext final : public HttpsContext {
 public:
  OpenSslHttpsContext(LeafSource& leaves, IsOwnName is_own_name, SslCtxPtr context)
      : leaves_(leaves), is_own_name_(std::move(is_own_name)), context_(std::move(context)) {
    SSL_CTX_set_cert_cb(context_.get(), &OpenSslHttpsContext::on_certificate, this);
    SSL_CTX_set_alpn_select_cb(context_.get(), &OpenSslHttpsContext::on_alpn, nullptr);
  }

  ssl_st* new_session() override {
    SSL* ssl = SSL_new(context_.get());
    if (ssl != nullptr) SSL_set_accept_state(ssl);
    return ssl;
  }

 private:
  static int on_certificate(SSL* ssl, void* self) noexcept {
    return static_cast<OpenSslHttpsContext*>(self)->use_leaf(ssl) ? 1 : 0;
  }

  static int on_alpn(SSL*, const unsigned char** out, unsigned char* out_size,
                     const unsigned char* in, unsigned in_size, void*) noexcept {
    for (unsigned at = 0; at < in_size;) {
      const unsigned size = in[at];
      if (at + 1 + size > in_size) break;
      const std::string_view name(reinterpret_cast<const char*>(in) + at + 1, size);
      if (name == kHttp11) {
        *out = in + at + 1;
        *out_size = static_cast<unsigned char>(size);
        return SSL_TLSEXT_ERR_OK;
      }
      at += 1 + size;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }

  bool use_leaf(SSL* ssl) {
    std::optional<base::Host> host;
    if (const char* sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name); sni != nullptr) {
      const auto name = base::Host::parse(sni);
      if (name && is_own_name_(*name)) host = *name;
    }
    if (!host) host = local_host(SSL_get_fd(ssl));
    if (!host) return false;
    bool is_set = false;
    leaves_.leaf_for(*host, [&](base::Result<std::shared_ptr<const Leaf>> leaf) {
      is_set = leaf && SSL_use_certificate(ssl, (*leaf)->certificate()) == 1 &&
               SSL_use_PrivateKey(ssl, (*leaf)->key()) == 1;
    });
    if (!is_set) ERR_clear_error();
    return is_set;
  }

  LeafSource& leaves_;
  IsOwnName is_own_name_;
  SslCtxPtr context_;
};

}  // namespace

base::Result<std::unique_ptr<HttpsContext>> HttpsContext::make(LeafSource& leaves,
                                                               IsOwnName is_own_name) {
  SslCtxPtr context(SSL_CTX_new(TLS_server_method()));
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1) {
    return base::fail(base::Code::kInternal, base::Fault::kProxy, drain_errors());
  }
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                         SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                         SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  return std::unique_ptr<HttpsContext>(
      new OpenSslHttpsContext(leaves, std::move(is_own_name), std::move(context)));
}

}  // namespace leash::tls
