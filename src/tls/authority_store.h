// The interception CA on disk: made at first start, or the one that agents already trust.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/authority.h"
#include "base/error.h"

namespace leash::tls {

// The public half of the process-wide leaf key: a P-256 point, uncompressed (SEC 1 s. 2.3.3).
using LeafPoint = std::array<std::uint8_t, 65>;

// A leaf as values: what the issuer chose and signed, for LeafAssembler.
struct SignedLeaf {
  std::chrono::system_clock::time_point not_before;  // whole seconds, both
  std::chrono::system_clock::time_point not_after;
  std::array<std::uint8_t, 16> serial{};
  std::string signature;
  std::string der;  // the whole certificate
};

// Signs leaves. Lives in the signer process: it has the CA's key.
class Issuer {
 public:
  virtual ~Issuer() = default;
  // DESIGN.md's profile: the process-wide P-256 leaf key, one exact SAN, 128-bit random serial,
  // SKI, AKI, EKU serverAuth, from one hour ago, seven days at most and never past the CA.
  [[nodiscard]] virtual base::Result<SignedLeaf> issue(const base::Host& host) = 0;
  [[nodiscard]] virtual const std::string& certificate_pem() const = 0;
  // SHA-256, "AB:CD:...".
  [[nodiscard]] virtual std::string fingerprint() const = 0;
  // The public file for agents to trust.
  [[nodiscard]] virtual const std::string& certificate_path() const = 0;
};

// Opens `dir`/leash-ca-key.pem and leash-ca-cert.pem, or mitmproxy-ca.pem (key and certificate in
// one file); with none of them makes an ECDSA P-256 CA (files 0600 and 0644, put in place whole),
// and `dir` (0700) where there is none. A key without its certificate gets a new one; beside
// mitmproxy-ca.pem the public mitmproxy-ca-cert.pem is written where it is missing. Errors:
// bad_key_file, with the `chmod` line to run where the key's mode is wider than 0600, or where its
// owner is neither us nor root, the two do not belong together, or the certificate is no CA's or
// out of its time, or `leaf_key` is no point of the curve; io.
[[nodiscard]] base::Result<std::unique_ptr<Issuer>> open_issuer(const std::string& dir,
                                                                const LeafPoint& leaf_key);
// The certificate alone, for leashctl: never touches the key, never makes one. Errors: io where
// there is none yet, bad_key_file where it cannot be read as one.
struct CaCertificate {
  std::string path;
  std::string pem;
  std::string fingerprint;
  std::string subject;
  std::string not_after;  // ISO 8601
};
[[nodiscard]] base::Result<CaCertificate> read_ca_certificate(const std::string& dir);

}  // namespace leash::tls
