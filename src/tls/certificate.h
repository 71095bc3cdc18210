// Certificates that we make: the CA's own and the leaves.
// Only .cc files in this folder include it.
#pragma once

#include <chrono>
#include <string>

#include "base/authority.h"
#include "tls/openssl.h"

namespace leash::tls {

using CertTime = std::chrono::system_clock::time_point;

struct Validity {
  CertTime not_before;
  CertTime not_after;
};

// Null where OpenSSL fails; its queue says why.
[[nodiscard]] KeyPtr new_p256_key();
// RFC 5280 s. 4.2: basicConstraints with pathlen 0, keyCertSign and cRLSign, SKI.
[[nodiscard]] CertPtr make_ca_certificate(EVP_PKEY* key, const Validity& validity);
// SAN (one exact name or address), EKU serverAuth, digitalSignature, SKI, AKI; 128-bit random
// serial.
[[nodiscard]] CertPtr make_leaf_certificate(const base::Host& host, EVP_PKEY* leaf_key, X509* ca,
                                            EVP_PKEY* ca_key, const Validity& validity);

[[nodiscard]] Validity validity_of(const X509* certificate);  // both the epoch where unreadable
// SHA-256, "AB:CD:...".
[[nodiscard]] std::string fingerprint_of(const X509* certificate);
[[nodiscard]] std::string subject_of(const X509* certificate);
// "2036-01-31T12:00:00Z".
[[nodiscard]] std::string iso_8601(CertTime time);

}  // namespace leash::tls
