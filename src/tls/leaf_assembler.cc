#include "tls/leaf_assembler.h"

#include "tls/certificate.h"
#include "tls/leaf.h"
#include "tls/pem.h"

namespace leash::tls {
namespace {

using base::Code;
using base::Fault;

constexpr std::chrono::hours kRenewal{24};  // before its end

}  // namespace

base::Result<LeafKey> LeafKey::make() {
  KeyPtr key = new_leaf_key();
  if (key == nullptr) {
    return base::fail(Code::kInternal, Fault::kProxy, "no leaf key: " + drain_errors());
  }
  LeafKey out;
  out.point_ = point_of(key.get());
  out.key_ = std::shared_ptr<EVP_PKEY>(key.release(), EVP_PKEY_free);
  return out;
}

base::Result<LeafAssembler> LeafAssembler::make(LeafKey key, const std::string& ca_pem) {
  CertPtr ca = certificate_from(ca_pem);
  if (ca == nullptr || X509_get0_pubkey(ca.get()) == nullptr) {
    return base::fail(Code::kBadKeyFile, Fault::kProxy, "the CA's certificate cannot be read");
  }
  LeafAssembler out;
  out.key_ = std::move(key);
  out.ca_ = std::shared_ptr<X509>(ca.release(), X509_free);
  return out;
}

base::Result<std::shared_ptr<const Leaf>> LeafAssembler::assemble(const base::Host& host,
                                                                  const SignedLeaf& leaf) const {
  const std::string_view serial(reinterpret_cast<const char*>(leaf.serial.data()),
                                leaf.serial.size());
  CertPtr certificate = make_leaf_certificate(host, key_.key_.get(), ca_.get(),
                                              {leaf.not_before, leaf.not_after}, serial);
  if (certificate == nullptr || !set_signature(certificate.get(), ca_.get(), leaf.signature)) {
    return base::fail(Code::kInternal, Fault::kProxy, "no leaf: " + drain_errors());
  }
  if (der_of(certificate.get()) != leaf.der) {
    return base::fail(Code::kInternal, Fault::kProxy, "the signer signed another leaf");
  }
  EVP_PKEY_up_ref(key_.key_.get());
  // Another leaf would not end later where the CA's own end is what limits this one.
  const bool is_cut = leaf.not_after - leaf.not_before < kLeafBackdate + kLeafLife;
  return std::make_shared<const Leaf>(std::move(certificate), KeyPtr(key_.key_.get()),
                                      leaf.not_before,
                                      is_cut ? leaf.not_after : leaf.not_after - kRenewal);
}

}  // namespace leash::tls
