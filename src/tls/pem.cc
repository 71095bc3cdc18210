#include "tls/pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <climits>

namespace leash::tls {
namespace {

// Without a callback OpenSSL would ask for a password on the terminal.
int no_password(char*, int, int, void*) { return -1; }

BioPtr reader(std::string_view text) {
  if (text.size() > INT_MAX) return nullptr;
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

template <class Write>
std::string written_by(Write write) {
  const BioPtr bio(BIO_new(BIO_s_secmem()));  // wiped when freed
  if (bio == nullptr || write(bio.get()) != 1) return {};
  const char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

}  // namespace

KeyPtr private_key_from(std::string_view pem) {
  ERR_clear_error();
  const BioPtr bio = reader(pem);
  return KeyPtr(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr) : nullptr);
}

KeyPtr public_key_from(std::string_view pem) {
  ERR_clear_error();
  const BioPtr bio = reader(pem);
  return KeyPtr(bio ? PEM_read_bio_PUBKEY(bio.get(), nullptr, no_password, nullptr) : nullptr);
}

CertPtr certificate_from(std::string_view pem) {
  ERR_clear_error();
  const BioPtr bio = reader(pem);
  return CertPtr(bio ? PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr) : nullptr);
}

std::string private_pem(EVP_PKEY* key) {
  return written_by([key](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
}

std::string public_pem(EVP_PKEY* key) {
  return written_by([key](BIO* bio) { return PEM_write_bio_PUBKEY(bio, key); });
}

std::string certificate_pem(X509* certificate) {
  return written_by([certificate](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

}  // namespace leash::tls
