// The proxy's half of a leaf: the key that all leaves share, and certificates put together from
// what the signer has signed.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "tls/authority_store.h"
#include "tls/engine.h"

struct evp_pkey_st;
struct x509_st;

namespace leash::tls {

// The process-wide leaf key, made anew by each process, never on disk.
class LeafKey {
 public:
  // Errors: internal (OpenSSL fails).
  [[nodiscard]] static base::Result<LeafKey> make();
  [[nodiscard]] const LeafPoint& point() const { return point_; }

 private:
  friend class LeafAssembler;
  std::shared_ptr<evp_pkey_st> key_;
  LeafPoint point_{};
};

// Thread-safe.
class LeafAssembler {
 public:
  // `ca_pem`: the issuer's certificate. Errors: bad_key_file.
  [[nodiscard]] static base::Result<LeafAssembler> make(LeafKey key, const std::string& ca_pem);

  // The certificate is made here once more, byte for byte, and the signature put into it: to parse
  // its DER would cost OpenSSL 3 three times what all the rest of a leaf does. Errors: internal,
  // also where the bytes are not those that were signed (a leaf of another name, key or CA).
  [[nodiscard]] base::Result<std::shared_ptr<const Leaf>> assemble(const base::Host& host,
                                                                   const SignedLeaf& leaf) const;

 private:
  LeafKey key_;
  std::shared_ptr<x509_st> ca_;
};

}  // namespace leash::tls
