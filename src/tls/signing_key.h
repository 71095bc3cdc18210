// The Ed25519 key that signs checkpoints of the audit log (RFC 8032).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace leash::tls {

using Signature = std::array<std::uint8_t, 64>;

// The public half's name in the directory of the key.
inline constexpr const char* kPublicKeyFile = "leash-audit-key.pub.pem";

// What checks signatures; a value, cheap to copy. Thread-safe.
class PublicKey {
 public:
  // `pem`: a SubjectPublicKeyInfo. Errors: bad_key_file where it is not an Ed25519 key.
  [[nodiscard]] static base::Result<PublicKey> parse(std::string_view pem);

  // False also where `signature` is not 64 bytes long.
  [[nodiscard]] bool verifies(std::string_view bytes, std::string_view signature) const;
  [[nodiscard]] const std::string& pem() const { return pem_; }
  // The first 16 hex digits of the SHA-256 of the raw key: tells keys apart, proves nothing.
  [[nodiscard]] const std::string& id() const { return id_; }

 private:
  friend class SigningKey;
  PublicKey() = default;
  static base::Result<PublicKey> from(std::shared_ptr<evp_pkey_st> key);

  std::shared_ptr<evp_pkey_st> key_;
  std::string pem_;
  std::string id_;
};

// Thread-safe; cheap to copy.
class SigningKey {
 public:
  // Opens `dir`/leash-audit-key.pem; makes it (0600) with its public half,
  // `dir`/leash-audit-key.pub.pem (0644), where there is none, and `dir` (0700) too. Errors:
  // bad_key_file (see read_key_file; also for a public half of another key, and for a public half
  // whose key is gone), io.
  [[nodiscard]] static base::Result<SigningKey> open(const std::string& dir);

  // Ends the process where OpenSSL fails (no memory).
  [[nodiscard]] Signature sign(std::string_view bytes) const;
  [[nodiscard]] const PublicKey& public_key() const { return public_; }

 private:
  SigningKey() = default;

  std::shared_ptr<evp_pkey_st> key_;
  PublicKey public_;
};

}  // namespace leash::tls
