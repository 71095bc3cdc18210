// Keys and certificates as PEM text. Only .cc files in this folder include it.
#pragma once

#include <string>
#include <string_view>

#include "tls/openssl.h"

namespace leash::tls {

// The first private key (or certificate, or public key) in `pem`; null where there is none or it is
// encrypted.
[[nodiscard]] KeyPtr private_key_from(std::string_view pem);
[[nodiscard]] KeyPtr public_key_from(std::string_view pem);
[[nodiscard]] CertPtr certificate_from(std::string_view pem);
// "" where OpenSSL has no memory. PKCS #8 without a password for private keys.
[[nodiscard]] std::string private_pem(EVP_PKEY* key);
[[nodiscard]] std::string public_pem(EVP_PKEY* key);
[[nodiscard]] std::string certificate_pem(X509* certificate);

}  // namespace leash::tls
