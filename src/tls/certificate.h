// Certificates that we make: the CA's own and the leaves.
// Only .cc files in this folder include it.
#pragma once

#include <chrono>
#include <string>

#include "base/authority.h"
#include "tls/authority_store.h"
#include "tls/openssl.h"

namespace leash::tls {

using CertTime = std::chrono::system_clock::time_point;

struct Validity {
  CertTime not_before;
  CertTime not_after;
};

// Null where OpenSSL fails; its queue says why.
[[nodiscard]] KeyPtr new_p256_key();
// The same, in OpenSSL's older form: X509_set_pubkey() encodes a key of the newer form and parses
// it again for each certificate, which costs five times what all the rest of a leaf does.
[[nodiscard]] KeyPtr new_leaf_key();
// Its public half as a point, and a key of the older form of one. Null for what is no point of the
// curve.
[[nodiscard]] LeafPoint point_of(EVP_PKEY* leaf_key);
[[nodiscard]] KeyPtr leaf_key_from(const LeafPoint& point);
// RFC 5280 s. 4.2: basicConstraints with pathlen 0, keyCertSign and cRLSign, SKI.
[[nodiscard]] CertPtr make_ca_certificate(EVP_PKEY* key, const Validity& validity);
// SAN (one exact name or address), EKU serverAuth, digitalSignature, SKI, AKI; not signed.
// `serial`: up to 20 bytes.
[[nodiscard]] CertPtr make_leaf_certificate(const base::Host& host, EVP_PKEY* leaf_key, X509* ca,
                                            const Validity& validity, std::string_view serial);
// Puts a signature made elsewhere, by the CA's key over SHA-256, into an unsigned certificate.
[[nodiscard]] bool set_signature(X509* certificate, X509* ca, std::string_view signature);
[[nodiscard]] std::string signature_of(const X509* certificate);
[[nodiscard]] std::string der_of(X509* certificate);  // "" where OpenSSL fails

inline constexpr std::chrono::hours kLeafBackdate{1};
inline constexpr std::chrono::hours kLeafLife{7 * 24};

[[nodiscard]] Validity validity_of(const X509* certificate);  // both the epoch where unreadable
// SHA-256, "AB:CD:...".
[[nodiscard]] std::string fingerprint_of(const X509* certificate);
[[nodiscard]] std::string subject_of(const X509* certificate);
// "2036-01-31T12:00:00Z".
[[nodiscard]] std::string iso_8601(CertTime time);

}  // namespace leash::tls
