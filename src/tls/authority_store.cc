#include "tls/authority_store.h"

#include <openssl/err.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "tls/certificate.h"
#include "tls/digest.h"
#include "tls/key_file.h"
#include "tls/pem.h"

namespace leash::tls {
namespace {

using base::Code;
using base::Fault;
using std::chrono::hours;

constexpr const char* kKeyName = "/leash-ca-key.pem";
constexpr const char* kCertName = "/leash-ca-cert.pem";
constexpr const char* kBundleName = "/mitmproxy-ca.pem";
constexpr const char* kBundleCertName = "/mitmproxy-ca-cert.pem";

constexpr hours kCaBackdate{24};  // agents' clocks differ
constexpr hours kCaLife{10 * 365 * 24};
constexpr int kMinRsaBits = 2048;

tl::unexpected<base::Error> bad_key(std::string why) {
  return base::fail(Code::kBadKeyFile, Fault::kProxy, std::move(why));
}

struct Ca {
  KeyPtr key;
  CertPtr certificate;
  std::string path;  // of the certificate
};

class CaIssuer final : public Issuer {
 public:
  CaIssuer(Ca ca, KeyPtr leaf_key)
      : ca_(std::move(ca)),
        leaf_key_(std::move(leaf_key)),
        pem_(tls::certificate_pem(ca_.certificate.get())),
        end_(validity_of(ca_.certificate.get()).not_after) {}

  base::Result<SignedLeaf> issue(const base::Host& host) override;
  const std::string& certificate_pem() const override { return pem_; }
  std::string fingerprint() const override { return fingerprint_of(ca_.certificate.get()); }
  const std::string& certificate_path() const override { return ca_.path; }

 private:
  const Ca ca_;
  const KeyPtr leaf_key_;
  const std::string pem_;
  const CertTime end_;
};

base::Result<SignedLeaf> CaIssuer::issue(const base::Host& host) {
  if (host.empty()) return base::fail(Code::kInternal, Fault::kProxy, "a leaf without a name");
  const CertTime now =
      std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
  if (now >= end_) return bad_key("the CA expired on " + iso_8601(end_));
  SignedLeaf out;
  out.not_before = now - kLeafBackdate;
  out.not_after = std::min<CertTime>(now + kLeafLife, end_);
  const std::string serial = random_bytes(out.serial.size());
  std::copy(serial.begin(), serial.end(), out.serial.begin());
  const CertPtr certificate = make_leaf_certificate(host, leaf_key_.get(), ca_.certificate.get(),
                                                    {out.not_before, out.not_after}, serial);
  if (certificate == nullptr || X509_sign(certificate.get(), ca_.key.get(), EVP_sha256()) <= 0) {
    return base::fail(Code::kInternal, Fault::kProxy, "no leaf: " + drain_errors());
  }
  out.der = der_of(certificate.get());
  out.signature = signature_of(certificate.get());
  return out;
}

base::Result<void> check_key(EVP_PKEY* key, const std::string& path) {
  if (EVP_PKEY_is_a(key, "EC") == 1) return {};
  if (EVP_PKEY_is_a(key, "RSA") != 1) return bad_key(path + " holds neither an EC nor an RSA key");
  if (EVP_PKEY_get_bits(key) >= kMinRsaBits) return {};
  return bad_key(path + " holds an RSA key of less than 2048 bits, which agents refuse");
}

base::Result<void> check_ca(X509* certificate, EVP_PKEY* key, const std::string& path) {
  if (X509_check_private_key(certificate, key) != 1) {
    ERR_clear_error();
    return bad_key("the key does not belong to the certificate in " + path);
  }
  if (X509_check_ca(certificate) != 1) {
    ERR_clear_error();
    return bad_key("the certificate in " + path + " is not a CA's");
  }
  const Validity validity = validity_of(certificate);
  const CertTime now = std::chrono::system_clock::now();
  if (now >= validity.not_after) {
    return bad_key("the CA in " + path + " expired on " + iso_8601(validity.not_after));
  }
  if (now < validity.not_before) {
    return bad_key("the CA in " + path + " is not valid before " + iso_8601(validity.not_before));
  }
  return {};
}

base::Result<CertPtr> load_certificate(const std::string& path) {
  const auto pem = read_public_file(path);
  if (!pem) return tl::unexpected(pem.error());
  if (!*pem) return CertPtr();
  CertPtr certificate = certificate_from(**pem);
  if (certificate == nullptr) return bad_key(path + " holds no certificate: " + drain_errors());
  return certificate;
}

struct KeyText {
  KeyPtr key;
  CertPtr certificate;  // where one is in the same file
};

base::Result<KeyText> load_key(const std::string& path) {
  auto pem = read_key_file(path);
  if (!pem) return tl::unexpected(pem.error());
  if (!*pem) return KeyText{};
  KeyText out;
  out.key = private_key_from(**pem);
  const std::string reason = out.key == nullptr ? drain_errors() : std::string();
  out.certificate = certificate_from(**pem);
  ERR_clear_error();
  wipe(**pem);
  if (out.key == nullptr) return bad_key(path + " holds no private key: " + reason);
  if (auto ok = check_key(out.key.get(), path); !ok) return tl::unexpected(ok.error());
  return out;
}

base::Result<void> make_key(const std::string& path) {
  const KeyPtr key = new_p256_key();
  std::string pem = key ? private_pem(key.get()) : std::string();
  if (pem.empty()) return bad_key("no new CA key: " + drain_errors());
  const auto placed = place_new_file(path, 0600, pem);
  wipe(pem);
  if (!placed) return tl::unexpected(placed.error());
  if (*placed == Placed::kYes) spdlog::info("made a new CA key: {}", path);
  return {};
}

base::Result<void> make_certificate(EVP_PKEY* key, const std::string& path) {
  const CertTime now = std::chrono::system_clock::now();
  const CertPtr certificate = make_ca_certificate(key, {now - kCaBackdate, now + kCaLife});
  const std::string pem = certificate ? tls::certificate_pem(certificate.get()) : std::string();
  if (pem.empty()) return bad_key("no new CA certificate: " + drain_errors());
  const auto placed = place_new_file(path, 0644, pem);
  if (!placed) return tl::unexpected(placed.error());
  return {};
}

// The certificate beside `key`, made where it is missing: a first start may have ended between the
// two files. Read back from disk, since another process may have been faster.
base::Result<Ca> own_ca(KeyPtr key, const std::string& dir) {
  const std::string path = dir + kCertName;
  auto certificate = load_certificate(path);
  if (certificate && *certificate == nullptr) {
    if (auto ok = make_certificate(key.get(), path); !ok) return tl::unexpected(ok.error());
    certificate = load_certificate(path);
  }
  if (!certificate) return tl::unexpected(certificate.error());
  if (*certificate == nullptr) return base::fail(Code::kIo, Fault::kProxy, path + " vanished");
  if (auto ok = check_ca(certificate->get(), key.get(), path); !ok) {
    return tl::unexpected(ok.error());
  }
  return Ca{std::move(key), std::move(*certificate), path};
}

// mitmproxy keeps the public half beside the bundle; agents' installers and leashctl look for it
// there.
std::string public_file_of_bundle(X509* certificate, const std::string& dir) {
  std::string path = dir + kBundleCertName;
  const auto there = load_certificate(path);
  if (there && *there != nullptr) {
    if (X509_cmp(there->get(), certificate) == 0) return path;
    spdlog::warn("{} is not the certificate in {}{}", path, dir, kBundleName);
    return dir + kBundleName;
  }
  const auto placed = there ? place_new_file(path, 0644, tls::certificate_pem(certificate))
                            : tl::unexpected(there.error());
  if (placed) return path;
  spdlog::warn("no public copy of the CA certificate: {}", placed.error().text());
  return dir + kBundleName;
}

base::Result<Ca> bundle_ca(KeyText bundle, const std::string& dir) {
  const std::string path = dir + kBundleName;
  if (bundle.certificate == nullptr) return bad_key(path + " holds no certificate");
  if (auto ok = check_ca(bundle.certificate.get(), bundle.key.get(), path); !ok) {
    return tl::unexpected(ok.error());
  }
  std::string public_path = public_file_of_bundle(bundle.certificate.get(), dir);
  return Ca{std::move(bundle.key), std::move(bundle.certificate), std::move(public_path)};
}

base::Result<Ca> new_ca(const std::string& dir) {
  const std::string path = dir + kKeyName;
  const auto orphan = read_public_file(dir + kCertName);
  if (!orphan) return tl::unexpected(orphan.error());
  if (*orphan) {
    // Whoever starts at the same time places the key first, since we looked for it maybe.
    auto placed = load_key(path);
    if (!placed) return tl::unexpected(placed.error());
    if (placed->key != nullptr) return own_ca(std::move(placed->key), dir);
    return bad_key(dir + kCertName + " is there, but its key " + path +
                   " is gone; restore it, or move the certificate away to begin anew");
  }
  if (auto ok = make_key(path); !ok) return tl::unexpected(ok.error());
  auto made = load_key(path);
  if (!made) return tl::unexpected(made.error());
  if (made->key == nullptr) return base::fail(Code::kIo, Fault::kProxy, path + " vanished");
  return own_ca(std::move(made->key), dir);
}

base::Result<Ca> open_ca(const std::string& dir) {
  if (auto ok = ensure_private_directory(dir); !ok) return tl::unexpected(ok.error());
  auto own = load_key(dir + kKeyName);
  if (!own) return tl::unexpected(own.error());
  if (own->key != nullptr) return own_ca(std::move(own->key), dir);
  auto bundle = load_key(dir + kBundleName);
  if (!bundle) return tl::unexpected(bundle.error());
  if (bundle->key != nullptr) return bundle_ca(std::move(*bundle), dir);
  return new_ca(dir);
}

}  // namespace

base::Result<std::unique_ptr<Issuer>> open_issuer(const std::string& dir,
                                                  const LeafPoint& leaf_key_point) {
  KeyPtr leaf_key = leaf_key_from(leaf_key_point);
  if (leaf_key == nullptr) return bad_key("no leaf key: " + drain_errors());
  auto ca = open_ca(dir);
  if (!ca) return tl::unexpected(ca.error());
  return std::make_unique<CaIssuer>(std::move(*ca), std::move(leaf_key));
}

base::Result<CaCertificate> read_ca_certificate(const std::string& dir) {
  for (const char* name : {kCertName, kBundleCertName}) {
    const std::string path = dir + name;
    const auto certificate = load_certificate(path);
    if (!certificate) return tl::unexpected(certificate.error());
    if (*certificate == nullptr) continue;
    X509* c = certificate->get();
    return CaCertificate{path, tls::certificate_pem(c), fingerprint_of(c), subject_of(c),
                         iso_8601(validity_of(c).not_after)};
  }
  return base::fail(Code::kIo, Fault::kProxy,
                    "no CA certificate in " + dir + "; leash makes it at its first start");
}

}  // namespace leash::tls
