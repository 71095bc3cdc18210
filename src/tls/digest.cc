#include "tls/digest.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/sha.h>
#include <spdlog/spdlog.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "base/text.h"
#include "tls/openssl.h"

namespace leash::tls {
namespace {

using MdPtr = std::unique_ptr<EVP_MD, FreeWith<EVP_MD_free>>;
using MacPtr = std::unique_ptr<EVP_MAC, FreeWith<EVP_MAC_free>>;
using MacCtxPtr = std::unique_ptr<EVP_MAC_CTX, FreeWith<EVP_MAC_CTX_free>>;

// A hash that cannot be had is a broken installation or no memory: nothing that leash does is safe
// without.
[[noreturn]] void die(const char* what) {
  spdlog::critical("{}: {}", what, drain_errors());
  std::abort();
}

EVP_MD_CTX* digest_context() {
  thread_local const DigestCtxPtr context{EVP_MD_CTX_new()};
  if (context == nullptr) die("no memory for a hash");
  return context.get();
}

}  // namespace

// The legacy form: the same compression function without the provider's dispatch, which costs as
// much as hashing 300 bytes. Three of these are made for each line of a log.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
Digest sha256(std::string_view a, std::string_view b) {
  Digest out;
  SHA256_CTX context;
  if (SHA256_Init(&context) != 1 || SHA256_Update(&context, a.data(), a.size()) != 1 ||
      SHA256_Update(&context, b.data(), b.size()) != 1 || SHA256_Final(out.data(), &context) != 1) {
    die("SHA-256 failed");
  }
  return out;
}
#pragma GCC diagnostic pop

Digest hmac_sha256(std::string_view key, std::string_view text) {
  static const MacPtr mac{EVP_MAC_fetch(nullptr, "HMAC", nullptr)};
  if (mac == nullptr) die("HMAC is not available");
  thread_local const MacCtxPtr context{EVP_MAC_CTX_new(mac.get())};
  if (context == nullptr) die("no memory for an HMAC");

  char name[] = "SHA256";
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                               OSSL_PARAM_construct_end()};
  // A null key would mean "the key of the last call".
  const unsigned char* key_bytes = key.empty() ? bytes_of("") : bytes_of(key);
  Digest out;
  std::size_t written = 0;
  if (EVP_MAC_init(context.get(), key_bytes, key.size(), params) != 1 ||
      EVP_MAC_update(context.get(), bytes_of(text), text.size()) != 1 ||
      EVP_MAC_final(context.get(), out.data(), &written, out.size()) != 1 ||
      written != out.size()) {
    die("HMAC failed");
  }
  return out;
}

std::string hex(const Digest& digest) {
  std::string out;
  out.reserve(digest.size() * 2);
  base::append_hex(out, {reinterpret_cast<const char*>(digest.data()), digest.size()});
  return out;
}

std::string base64(std::string_view bytes) {
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out.push_back(k <= count ? kAlphabet[group >> (18 - 6 * k) & 63] : '=');
    }
  }
  return out;
}

std::string websocket_accept(std::string_view key) {
  static const MdPtr sha1{EVP_MD_fetch(nullptr, "SHA1", nullptr)};
  if (sha1 == nullptr) die("SHA-1 is not available");
  constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<char, 20> out;
  EVP_MD_CTX* context = digest_context();
  if (EVP_DigestInit_ex2(context, sha1.get(), nullptr) != 1 ||
      EVP_DigestUpdate(context, key.data(), key.size()) != 1 ||
      EVP_DigestUpdate(context, kGuid.data(), kGuid.size()) != 1 ||
      EVP_DigestFinal_ex(context, reinterpret_cast<unsigned char*>(out.data()), nullptr) != 1) {
    die("SHA-1 failed");
  }
  return base64({out.data(), out.size()});
}

std::string random_bytes(std::size_t count) {
  std::string out(count, '\0');
  std::size_t have = 0;
  while (have < count) {
    const ssize_t got = ::getrandom(out.data() + have, count - have, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) die("the kernel gave no random bytes");
    have += static_cast<std::size_t>(got);
  }
  return out;
}

}  // namespace leash::tls
