// What both sides' engines share: the pump between the strings and OpenSSL.
// Only .cc files in this folder include it.
#pragma once

#include <optional>
#include <string>

#include "tls/engine.h"
#include "tls/memory_bio.h"
#include "tls/openssl.h"

namespace leash::tls {

// Settings of both legs: TLS 1.2 and 1.3 without compression, renegotiation and early data. Null
// without memory.
[[nodiscard]] SslCtxPtr make_ssl_ctx(const SSL_METHOD* method);

class EngineBase : public Engine {
 public:
  enum class Peer { kClient, kOrigin };

  EngineBase(SSL_CTX* context, Peer peer);
  EngineBase(const EngineBase&) = delete;
  EngineBase& operator=(const EngineBase&) = delete;

  base::Result<void> receive(std::string_view cipher, std::string& plain) override;
  base::Result<void> send(std::string_view plain) override;
  void finish() override;
  std::string& output() override { return pipe_.out; }
  [[nodiscard]] bool may_output_wait() const override {
    return ticket_bytes_ > 0 && pipe_.out.size() == ticket_bytes_;
  }
  [[nodiscard]] std::size_t unsent_bytes() const override { return unsent_.size(); }
  [[nodiscard]] bool is_established() const override { return state_ == State::kEstablished; }
  [[nodiscard]] bool is_finished_by_peer() const override { return is_finished_by_peer_; }
  [[nodiscard]] const Session& session() const override { return session_; }
  void trim() override;

 protected:
  // Runs when the handshake is done; an error ends the connection.
  virtual base::Result<void> check_handshake() = 0;
  // Why a callback of ours made OpenSSL fail, or what OpenSSL knows better than its error queue
  // says.
  [[nodiscard]] virtual std::optional<base::Error> known_reason() const = 0;
  // What may have led to an alert of the peer, to follow its name; "" where nothing is known.
  [[nodiscard]] virtual std::string_view alert_note() const { return {}; }

  // Goes on with a suspended handshake.
  base::Result<void> resume();
  // Starts a handshake that speaks first.
  void start();
  // For a constructor that cannot set its engine up: receive() will say why.
  void fail_start(base::Error why);
  [[nodiscard]] SSL* ssl() const { return ssl_.get(); }
  [[nodiscard]] bool is_suspended() const { return state_ == State::kSuspended; }
  [[nodiscard]] tl::unexpected<base::Error> peer_error(std::string why) const;
  Session session_;

 private:
  enum class State { kHandshaking, kSuspended, kEstablished, kFailed };

  base::Result<void> pump(std::string& plain);
  base::Result<void> handshake();
  base::Result<void> read_plain(std::string& plain);
  base::Result<void> flush_unsent();
  base::Result<void> keep_for_later(std::string_view cipher);
  std::size_t next_plain_bytes(bool at_record) const;
  base::Result<void> fail_with(base::Error error);
  base::Result<void> fail_with_queue();
  [[nodiscard]] std::string queue_text() const;

  const Peer peer_;
  State state_ = State::kHandshaking;
  bool is_finished_by_peer_ = false;
  MemoryPipe pipe_;
  std::size_t ticket_bytes_ = 0;  // of output(), while tickets are all that has been put there
  std::string suspended_in_;      // ciphertext that came while the handshake waited
  std::string early_plain_;       // what it decrypted to, for the next receive()
  std::string
      unsent_;  // plaintext that OpenSSL would not take in the middle of a post-handshake message
  base::Error error_;  // of kFailed
  SslPtr ssl_;         // points into pipe_: destroyed first
};

}  // namespace leash::tls
