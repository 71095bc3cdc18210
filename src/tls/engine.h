// One TLS connection without a socket: ciphertext in and out, plaintext in and out (OpenSSL over
// memory BIOs).
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/authority.h"
#include "base/error.h"
#include "tls/client_hello.h"

namespace leash::tls {

// What the handshake agreed on.
struct Session {
  std::string alpn;     // "", "h2" or "http/1.1"
  std::string version;  // "TLSv1.3"
  std::string cipher;
  std::string origin_cert_sha256;  // lower-case hex; client-side engines only
  bool was_resumed = false;
};

class Engine {
 public:
  virtual ~Engine() = default;

  // Takes bytes from the peer and appends what they decrypt to to `plain`. Handshake bytes to send
  // collect in output(). Errors: tls_client or tls_server (by the side that this engine talks to)
  // with OpenSSL's reason or the certificate problem ("certificate has expired"); after an error
  // output() still holds the alert to send.
  [[nodiscard]] virtual base::Result<void> receive(std::string_view cipher, std::string& plain) = 0;
  // Encrypts into output(). Only after is_established().
  [[nodiscard]] virtual base::Result<void> send(std::string_view plain) = 0;
  // Adds close_notify to output().
  virtual void finish() = 0;
  // Ciphertext for the peer; the caller clears it once written.
  [[nodiscard]] virtual std::string& output() = 0;
  // The peer waits for nothing of output(): it may go along with the next thing that is sent.
  [[nodiscard]] virtual bool may_output_wait() const { return false; }
  // Plaintext that was given to send() and is not in output() yet: OpenSSL writes nothing while the
  // peer is in the middle of a post-handshake message (RFC 8446 s. 4.6). It goes with the rest of
  // that; a peer that never sends the rest makes us hold it, 4 MiB at most: then send() fails.
  [[nodiscard]] virtual std::size_t unsent_bytes() const { return 0; }

  [[nodiscard]] virtual bool is_established() const = 0;
  // close_notify came: the end of the plaintext is authentic. A TCP FIN without it is truncation.
  [[nodiscard]] virtual bool is_finished_by_peer() const = 0;
  // Only after is_established().
  [[nodiscard]] virtual const Session& session() const = 0;
  // Frees the buffers that an idle connection does not need.
  virtual void trim() = 0;
};

class Leaf;         // leaf certificate with its key, ready for use; immutable
class LeafSource {  // where the client side's leaves come from; asynchronous by interface
 public:
  using Done = std::function<void(base::Result<std::shared_ptr<const Leaf>>)>;
  virtual ~LeafSource() = default;
  // `done` runs inside the call when the leaf is at hand, later on the same thread otherwise.
  virtual void leaf_for(const base::Host& host, Done done) = 0;
};

// Everything shared by the client-side connections of one worker: one SSL_CTX, its tickets, its
// leaf source.
class ServerContext {
 public:
  virtual ~ServerContext() = default;

  struct Options {
    // The authority that policy allowed: the only name that gets a leaf here, and what tickets are
    // bound to (a ticket of another authority or of another `ticket_scope` means a full handshake).
    base::Authority authority;
    std::string ticket_scope;  // the agent and the policy's generation
    bool offer_h2 = false;
    // Called once, when the ClientHello is read and before anything is sent, with what it says; an
    // error ends the handshake with unrecognized_name (Code::kNameMismatch) or access_denied.
    std::function<base::Result<void>(const ClientHello&)> on_hello;
    // A handshake that had to wait for its leaf goes on: the owner sends output() and looks at
    // is_established().
    std::function<void(base::Result<void>)> on_resumed;
  };
  [[nodiscard]] virtual std::unique_ptr<Engine> accept(Options options) = 0;
};
[[nodiscard]] base::Result<std::unique_ptr<ServerContext>> make_server_context(LeafSource& leaves);

// Everything shared by the origin-side connections of one worker: trust store, session cache
// (bounded LRU by authority and scope).
class ClientContext {
 public:
  virtual ~ClientContext() = default;

  struct Options {
    // SNI (DNS names only) and the name or address that the certificate must be for; the chain is
    // verified against the store, time included.
    base::Authority authority;
    std::string session_scope;  // the agent: sessions are not shared between agents
    bool offer_h2 = false;
  };
  [[nodiscard]] virtual std::unique_ptr<Engine> connect(Options options) = 0;
};
// `extra_roots`: a PEM file added to the system store, "" for none. Errors: bad_config naming the
// file.
[[nodiscard]] base::Result<std::unique_ptr<ClientContext>> make_client_context(
    const std::string& extra_roots);

}  // namespace leash::tls
