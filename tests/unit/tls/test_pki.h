// Certificates good and bad, and a plain OpenSSL peer, for tests of the engines.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "tls/engine.h"
#include "tls/openssl.h"

namespace leash::tls {

struct Identity {
  KeyPtr key;
  CertPtr certificate;
  std::vector<X509*> chain;  // further certificates to send; not owned
};

struct CertSpec {
  std::string cn;
  std::string san = {};  // "DNS:a.test,IP:127.0.0.1"; with a leading '!' raw bytes of one dNSName
  std::string eku = "serverAuth";
  std::string constraints = "critical,CA:FALSE";
  std::string name_constraints = {};
  std::chrono::hours begins{-1};
  std::chrono::hours ends{24};
  int rsa_bits = 0;  // P-256 where 0
};

// Self-signed where `issuer` is null.
Identity make_identity(const CertSpec& spec, const Identity* issuer = nullptr);
Identity make_root(const std::string& cn);
std::string pem_of(const Identity& identity);

SslCtxPtr raw_server(const Identity& identity);
SslCtxPtr raw_client();  // verifies nothing

// A peer made of OpenSSL alone, with memory BIOs.
class RawPeer {
 public:
  enum class Role { kServer, kClient };
  RawPeer(SSL_CTX* context, Role role);

  // Takes ciphertext, shakes hands, reads; answers with ciphertext.
  std::string step(const std::string& in);
  void write(const std::string& plain);
  [[nodiscard]] SSL* ssl() const { return ssl_.get(); }
  [[nodiscard]] bool is_done() const { return is_done_; }
  [[nodiscard]] const std::string& plain() const { return plain_; }
  // Alert that came, -1 for none.
  [[nodiscard]] int alert() const { return alert_; }

 private:
  static void on_info(const SSL* ssl, int where, int value);
  std::string take_output();

  SslPtr ssl_;
  bool is_done_ = false;
  std::string plain_;
  int alert_ = -1;
};

// Carries bytes to and fro until both are quiet. The engine's error, if any; the peer still gets
// the last output.
base::Result<void> talk(Engine& engine, RawPeer& peer, std::string& plain);
base::Result<void> talk(Engine& engine, RawPeer& peer);
// Both engines; the first error of either.
base::Result<void> talk(Engine& a, Engine& b, std::string& plain_a, std::string& plain_b);

base::Authority authority(const std::string& text);

}  // namespace leash::tls
