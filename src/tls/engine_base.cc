#include "tls/engine_base.h"

#include <openssl/err.h>

#include <algorithm>

#include "tls/record_header.h"

namespace leash::tls {
namespace {

using base::Code;
using base::Fault;

// A peer that waits for our answer sends next to nothing; OpenSSL holds the ClientHello itself.
constexpr std::size_t kMaxSuspendedBytes = 64 * 1024;
constexpr std::size_t kMaxUnsentBytes = 4 * 1024 * 1024;
// Record header, nonce or content type, tag: the most that a record of our suites adds.
constexpr std::size_t kRecordOverheadBytes = 64;

// Like reserve, but never by less than a doubling, so that many small calls stay linear.
void make_room(std::string& out, std::size_t more) {
  const std::size_t wanted = out.size() + more;
  if (wanted > out.capacity()) out.reserve(std::max(wanted, 2 * out.capacity()));
}

}  // namespace

SslCtxPtr make_ssl_ctx(const SSL_METHOD* method) {
  ERR_clear_error();
  SslCtxPtr context(SSL_CTX_new(method));
  if (context == nullptr) return nullptr;
  SSL_CTX* c = context.get();
  // Set, not trusted to defaults: openssl.cnf of the system is read before us.
  SSL_CTX_set_security_level(c, 2);
  SSL_CTX_set_options(c, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_clear_options(c, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_LEGACY_SERVER_CONNECT |
                               SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION |
                               SSL_OP_ALLOW_CLIENT_RENEGOTIATION | SSL_OP_ALLOW_NO_DHE_KEX);
  SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(c, 0);  // the engine counts on whole records being consumed
  const bool is_set = SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) == 1 &&
                      SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION) == 1 &&
                      SSL_CTX_set_max_early_data(c, 0) == 1 &&
                      SSL_CTX_set_ciphersuites(c,
                                               "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                               "TLS_CHACHA20_POLY1305_SHA256") == 1 &&
                      SSL_CTX_set1_groups_list(c, "X25519:P-256:P-384") == 1;
  return is_set ? std::move(context) : nullptr;
}

EngineBase::EngineBase(SSL_CTX* context, Peer peer) : peer_(peer), ssl_(SSL_new(context)) {
  BioPtr bio = make_memory_bio(pipe_);
  if (ssl_ == nullptr || bio == nullptr) {
    state_ = State::kFailed;
    error_ = {Code::kNoMemoryLeft, Fault::kProxy, drain_errors()};
    return;
  }
  BIO* both = bio.release();
  SSL_set_bio(ssl_.get(), both, both);
}

base::Result<void> EngineBase::receive(std::string_view cipher, std::string& plain) {
  if (state_ == State::kFailed) return tl::unexpected(error_);
  if (state_ == State::kSuspended) return keep_for_later(cipher);
  if (pipe_.out.empty()) ticket_bytes_ = 0;
  if (!early_plain_.empty()) {
    plain += early_plain_;
    early_plain_ = {};
  }
  pipe_.in = cipher;
  auto result = pump(plain);
  pipe_.in = {};  // the caller's bytes live no longer
  return result;
}

base::Result<void> EngineBase::pump(std::string& plain) {
  ERR_clear_error();
  if (state_ == State::kHandshaking) {
    if (auto ok = handshake(); !ok) return ok;
  }
  if (state_ != State::kEstablished) return {};
  if (auto ok = read_plain(plain); !ok) return ok;
  return unsent_.empty() ? base::Result<void>{} : flush_unsent();
}

base::Result<void> EngineBase::handshake() {
  const int done = SSL_do_handshake(ssl_.get());
  if (done == 1) {
    state_ = State::kEstablished;
    session_.version = SSL_get_version(ssl_.get());
    session_.cipher = SSL_get_cipher_name(ssl_.get());
    session_.was_resumed = SSL_session_reused(ssl_.get()) == 1;
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    session_.alpn.assign(reinterpret_cast<const char*>(name), size);
    if (auto ok = check_handshake(); !ok) return fail_with(ok.error());
    // In TLS 1.3 a server's part of the handshake ends with the client's Finished.
    if (peer_ == Peer::kClient && SSL_version(ssl_.get()) == TLS1_3_VERSION) {
      ticket_bytes_ = pipe_.out.size();
    }
    return {};
  }
  switch (SSL_get_error(ssl_.get(), done)) {
    case SSL_ERROR_WANT_READ:
      return {};
    case SSL_ERROR_WANT_X509_LOOKUP:
      state_ = State::kSuspended;
      return keep_for_later(pipe_.in);
    case SSL_ERROR_ZERO_RETURN:
      return fail_with(peer_error("closed in the middle of the handshake").value());
    default:
      return fail_with_queue();
  }
}

base::Result<void> EngineBase::read_plain(std::string& plain) {
  bool at_record = false;
  while (!is_finished_by_peer_) {
    const std::size_t before = plain.size();
    const std::size_t room = next_plain_bytes(at_record);
    make_room(plain, room);
    plain.resize(before + room);
    std::size_t got = 0;
    const int done = SSL_read_ex(ssl_.get(), plain.data() + before, room, &got);
    plain.resize(before + got);
    if (done == 1) {
      at_record = SSL_pending(ssl_.get()) == 0;
      if (at_record && pipe_.in.empty()) return {};
      continue;
    }
    switch (SSL_get_error(ssl_.get(), done)) {
      case SSL_ERROR_WANT_READ:
        return {};
      case SSL_ERROR_ZERO_RETURN:
        is_finished_by_peer_ = true;
        break;
      default:
        return fail_with_queue();
    }
  }
  return {};
}

// How much the next SSL_read can give: the room is zeroed before, so it should be no more than
// that.
std::size_t EngineBase::next_plain_bytes(bool at_record) const {
  if (const int pending = SSL_pending(ssl_.get()); pending > 0) {
    return static_cast<std::size_t>(pending);
  }
  std::size_t bytes = pipe_.in.size();
  if (at_record && bytes >= kRecordHeaderBytes) {
    const auto at = [this](std::size_t i) { return static_cast<unsigned char>(pipe_.in[i]); };
    bytes = std::min(bytes, static_cast<std::size_t>(at(3)) << 8 | at(4));
  }
  return std::clamp<std::size_t>(bytes, 1, kMaxRecordPlainBytes);
}

base::Result<void> EngineBase::send(std::string_view plain) {
  if (state_ == State::kFailed) return tl::unexpected(error_);
  if (state_ != State::kEstablished) {
    return base::fail(Code::kInternal, Fault::kProxy, "TLS send before the handshake is done");
  }
  if (plain.empty()) return {};
  ticket_bytes_ = 0;
  if (!unsent_.empty()) {
    unsent_ += plain;
    return flush_unsent();
  }
  ERR_clear_error();
  const std::size_t records = plain.size() / kMaxRecordPlainBytes + 1;
  make_room(pipe_.out, plain.size() + records * kRecordOverheadBytes);
  std::size_t put = 0;
  const int done = SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &put);
  if (done == 1) return {};  // all of it: the BIO never pushes back
  if (SSL_get_error(ssl_.get(), done) != SSL_ERROR_WANT_READ) return fail_with_queue();
  // The peer is in the middle of a post-handshake message (a ticket, a key update).
  unsent_ = plain;
  return {};
}

base::Result<void> EngineBase::flush_unsent() {
  ERR_clear_error();
  std::size_t put = 0;
  const int done = SSL_write_ex(ssl_.get(), unsent_.data(), unsent_.size(), &put);
  if (done == 1) {
    unsent_ = {};
    return {};
  }
  if (SSL_get_error(ssl_.get(), done) != SSL_ERROR_WANT_READ) return fail_with_queue();
  if (unsent_.size() > kMaxUnsentBytes) {
    return fail_with(peer_error("a post-handshake message that does not end").value());
  }
  return {};
}

void EngineBase::finish() {
  if (state_ != State::kEstablished) return;
  ticket_bytes_ = 0;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

void EngineBase::trim() {
  if (state_ == State::kFailed) return;
  if (pipe_.out.empty()) pipe_.out = {};
  SSL_free_buffers(ssl_.get());  // refuses by itself while they hold something
}

base::Result<void> EngineBase::keep_for_later(std::string_view cipher) {
  if (suspended_in_.size() + cipher.size() > kMaxSuspendedBytes) {
    return fail_with(peer_error("too many bytes ahead of the answer").value());
  }
  suspended_in_ += cipher;
  return {};
}

base::Result<void> EngineBase::resume() {
  state_ = State::kHandshaking;
  const std::string kept = std::move(suspended_in_);
  suspended_in_ = {};
  pipe_.in = kept;
  auto result = pump(early_plain_);
  pipe_.in = {};
  return result;
}

void EngineBase::start() {
  if (state_ != State::kHandshaking) return;
  std::string none;
  (void)pump(none);  // an error stays and comes back from receive()
}

void EngineBase::fail_start(base::Error why) { (void)fail_with(std::move(why)); }

tl::unexpected<base::Error> EngineBase::peer_error(std::string why) const {
  return peer_ == Peer::kClient ? base::fail(Code::kTlsClient, Fault::kClient, std::move(why))
                                : base::fail(Code::kTlsServer, Fault::kOrigin, std::move(why));
}

base::Result<void> EngineBase::fail_with(base::Error error) {
  ERR_clear_error();
  state_ = State::kFailed;
  error_ = std::move(error);
  unsent_ = {};
  return tl::unexpected(error_);
}

base::Result<void> EngineBase::fail_with_queue() {
  if (auto known = known_reason()) return fail_with(std::move(*known));
  return fail_with(peer_error(queue_text()).value());
}

std::string EngineBase::queue_text() const {
  // OpenSSL names alerts after the protocol that had them first ("sslv3 alert ...").
  const int reason = ERR_GET_REASON(ERR_peek_error());
  if (ERR_GET_LIB(ERR_peek_error()) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET) {
    const char* who =
        peer_ == Peer::kClient ? "the client sent the alert: " : "the origin sent the alert: ";
    const int alert = reason - SSL_AD_REASON_OFFSET;
    // OpenSSL 3.0 has no name for this one.
    const char* name = alert == SSL_AD_CERTIFICATE_REQUIRED ? "certificate required"
                                                            : SSL_alert_desc_string_long(alert);
    return std::string(who).append(name).append(alert_note());
  }
  return drain_errors();
}

}  // namespace leash::tls
