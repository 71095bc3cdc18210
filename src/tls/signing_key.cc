#include "tls/signing_key.h"

#include <openssl/err.h>
#include <spdlog/spdlog.h>

#include <cstdlib>

#include "tls/digest.h"
#include "tls/key_file.h"
#include "tls/pem.h"

namespace leash::tls {
namespace {

using base::Code;
using base::Fault;

constexpr const char* kKeyName = "/leash-audit-key.pem";

tl::unexpected<base::Error> bad_key(std::string why) {
  return base::fail(Code::kBadKeyFile, Fault::kProxy, std::move(why));
}

std::shared_ptr<EVP_PKEY> shared(KeyPtr key) {
  return std::shared_ptr<EVP_PKEY>(key.release(), EVP_PKEY_free);
}

// Puts a new key there, unless another process was faster.
base::Result<void> make_key(const std::string& path) {
  const KeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  std::string pem = key ? private_pem(key.get()) : std::string();
  if (pem.empty()) return bad_key("no new signing key: " + drain_errors());
  const auto placed = place_new_file(path, 0600, pem);
  wipe(pem);
  if (!placed) return tl::unexpected(placed.error());
  return {};
}

base::Result<KeyPtr> load_key(const std::string& path) {
  auto pem = read_key_file(path);
  if (!pem) return tl::unexpected(pem.error());
  if (!*pem) return KeyPtr();
  KeyPtr key = private_key_from(**pem);
  wipe(**pem);
  if (key == nullptr) return bad_key(path + " holds no private key: " + drain_errors());
  return key;
}

// The public half on disk must be the one of `key`: leashctl verifies with it.
base::Result<void> match_public_file(const std::string& path, const PublicKey& key) {
  const auto pem = read_public_file(path);
  if (!pem) return tl::unexpected(pem.error());
  if (!*pem) {
    const auto placed = place_new_file(path, 0644, key.pem());
    if (!placed) return tl::unexpected(placed.error());
    return {};
  }
  const auto on_disk = PublicKey::parse(**pem);
  if (!on_disk || on_disk->pem() != key.pem()) {
    return bad_key(path + " is not the public half of the key beside it");
  }
  return {};
}

}  // namespace

base::Result<PublicKey> PublicKey::from(std::shared_ptr<EVP_PKEY> key) {
  std::array<unsigned char, 32> raw{};
  std::size_t size = raw.size();
  if (EVP_PKEY_is_a(key.get(), "ED25519") != 1 ||
      EVP_PKEY_get_raw_public_key(key.get(), raw.data(), &size) != 1 || size != raw.size()) {
    ERR_clear_error();
    return bad_key("not an Ed25519 key");
  }
  PublicKey out;
  out.pem_ = tls::public_pem(key.get());
  if (out.pem_.empty()) return bad_key("no public key text: " + drain_errors());
  out.id_ = hex(sha256({reinterpret_cast<const char*>(raw.data()), raw.size()})).substr(0, 16);
  out.key_ = std::move(key);
  return out;
}

base::Result<PublicKey> PublicKey::parse(std::string_view pem) {
  KeyPtr key = public_key_from(pem);
  if (key == nullptr) return bad_key("no public key: " + drain_errors());
  return from(shared(std::move(key)));
}

bool PublicKey::verifies(std::string_view bytes, std::string_view signature) const {
  const DigestCtxPtr context(EVP_MD_CTX_new());
  const bool is_good = signature.size() == Signature().size() && context != nullptr &&
                       EVP_DigestVerifyInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr,
                                               key_.get(), nullptr) == 1 &&
                       EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(),
                                        bytes_of(bytes), bytes.size()) == 1;
  if (!is_good) ERR_clear_error();
  return is_good;
}

base::Result<SigningKey> SigningKey::open(const std::string& dir) {
  const std::string path = dir + kKeyName;
  if (auto ok = ensure_private_directory(dir); !ok) return tl::unexpected(ok.error());
  auto key = load_key(path);
  if (key && *key == nullptr) {
    // Signatures of the old key would no longer verify against the file that operators hold.
    const auto orphan = read_public_file(dir + "/" + kPublicKeyFile);
    if (!orphan) return tl::unexpected(orphan.error());
    if (*orphan) {
      return bad_key(dir + "/" + kPublicKeyFile + " is there, but its key " + path +
                     " is gone; restore it, or move the public key away to begin anew");
    }
    if (auto ok = make_key(path); !ok) return tl::unexpected(ok.error());
    key = load_key(path);
  }
  if (!key) return tl::unexpected(key.error());
  if (*key == nullptr) return base::fail(Code::kIo, Fault::kProxy, path + " vanished");

  SigningKey out;
  out.key_ = shared(std::move(*key));
  auto half = PublicKey::from(out.key_);
  if (!half) return bad_key(path + ": " + half.error().detail);
  out.public_ = std::move(*half);
  if (auto ok = match_public_file(dir + "/" + kPublicKeyFile, out.public_); !ok) {
    return tl::unexpected(ok.error());
  }
  return out;
}

Signature SigningKey::sign(std::string_view bytes) const {
  Signature out{};
  std::size_t size = out.size();
  const DigestCtxPtr context(EVP_MD_CTX_new());
  if (context == nullptr ||
      EVP_DigestSignInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr, key_.get(),
                            nullptr) != 1 ||
      EVP_DigestSign(context.get(), out.data(), &size, bytes_of(bytes), bytes.size()) != 1 ||
      size != out.size()) {
    spdlog::critical("Ed25519 signature failed: {}", drain_errors());
    std::abort();
  }
  return out;
}

}  // namespace leash::tls
