#include "tls/ticket_keys.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include <algorithm>
#include <cstring>

#include "tls/digest.h"

namespace leash::tls {
namespace {

using CipherPtr = std::unique_ptr<EVP_CIPHER, FreeWith<EVP_CIPHER_free>>;

constexpr int kIvBytes = 16;

TicketKey new_key() {
  TicketKey key;
  static_assert(sizeof key == 80);
  std::string bytes = random_bytes(sizeof key);
  std::memcpy(&key, bytes.data(), sizeof key);
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return key;
}

TicketKeys& process_keys() {
  static TicketKeys keys;
  return keys;
}

bool use_mac_key(EVP_MAC_CTX* mac, TicketKey& key) {
  char digest[] = "SHA256";
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac.data(), key.mac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, params) == 1;
}

const EVP_CIPHER* fetched_cipher() {
  static const CipherPtr cipher(EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr));
  return cipher.get();
}

int seal(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) {
  TicketKey key = process_keys().current(std::chrono::steady_clock::now());
  const std::string fresh = random_bytes(kIvBytes);
  std::memcpy(name, key.name.data(), key.name.size());
  std::copy(fresh.begin(), fresh.end(), iv);
  const bool is_set =
      EVP_EncryptInit_ex2(cipher, fetched_cipher(), key.cipher.data(), iv, nullptr) == 1 &&
      use_mac_key(mac, key);
  OPENSSL_cleanse(&key, sizeof key);
  return is_set ? 1 : -1;
}

int open(const unsigned char* name, const unsigned char* iv, EVP_CIPHER_CTX* cipher,
         EVP_MAC_CTX* mac) {
  auto key = process_keys().find(name, std::chrono::steady_clock::now());
  if (!key) return 0;  // a full handshake
  const bool is_set =
      EVP_DecryptInit_ex2(cipher, fetched_cipher(), key->cipher.data(), iv, nullptr) == 1 &&
      use_mac_key(mac, *key);
  OPENSSL_cleanse(&*key, sizeof *key);
  // 2 asks for a new ticket: this one may be under the key that goes next.
  return is_set ? 2 : -1;
}

int on_ticket(SSL*, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
              EVP_MAC_CTX* mac, int is_sealing) noexcept {
  return is_sealing == 1 ? seal(name, iv, cipher, mac) : open(name, iv, cipher, mac);
}

}  // namespace

TicketKey TicketKeys::current(Time now) {
  const std::lock_guard lock(mutex_);
  rotate(now);
  return *current_;
}

std::optional<TicketKey> TicketKeys::find(const unsigned char* name, Time now) {
  const std::lock_guard lock(mutex_);
  rotate(now);
  for (const auto* key : {&current_, &previous_}) {
    if (*key && std::memcmp((*key)->name.data(), name, (*key)->name.size()) == 0) return *key;
  }
  return std::nullopt;
}

void TicketKeys::rotate(Time now) {
  if (current_ && now - made_ < kPeriod) return;
  if (current_ && now - made_ < 2 * kPeriod) {
    previous_ = current_;
  } else {
    previous_.reset();  // slept through a whole period
  }
  current_ = new_key();
  made_ = now;
}

bool TicketKeys::use_process_keys(SSL_CTX* context) {
  return fetched_cipher() != nullptr &&
         SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket) == 1;
}

}  // namespace leash::tls
