#include "tls/certificate.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/sha.h>

#include <array>

#include "tls/digest.h"

namespace leash::tls {
namespace {

using NumberPtr = std::unique_ptr<BIGNUM, FreeWith<BN_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>>;
using NamePtr = std::unique_ptr<GENERAL_NAME, FreeWith<GENERAL_NAME_free>>;
using OctetsPtr = std::unique_ptr<ASN1_OCTET_STRING, FreeWith<ASN1_OCTET_STRING_free>>;
using StringPtr = std::unique_ptr<ASN1_STRING, FreeWith<ASN1_STRING_free>>;
using KeyIdPtr = std::unique_ptr<AUTHORITY_KEYID, FreeWith<AUTHORITY_KEYID_free>>;
using ConstraintsPtr = std::unique_ptr<BASIC_CONSTRAINTS, FreeWith<BASIC_CONSTRAINTS_free>>;
using BitsPtr = std::unique_ptr<ASN1_BIT_STRING, FreeWith<ASN1_BIT_STRING_free>>;
using UsagesPtr = std::unique_ptr<EXTENDED_KEY_USAGE, FreeWith<EXTENDED_KEY_USAGE_free>>;

constexpr std::size_t kMaxCommonNameBytes = 64;  // RFC 5280 appendix A, ub-common-name
// Bits of keyUsage (RFC 5280 s. 4.2.1.3).
constexpr int kDigitalSignature = 0;
constexpr int kKeyCertSign = 5;
constexpr int kCrlSign = 6;

bool add(X509* certificate, int nid, void* value, bool is_critical) {
  return value != nullptr &&
         X509_add1_ext_i2d(certificate, nid, value, is_critical ? 1 : 0, X509V3_ADD_DEFAULT) == 1;
}

bool set_serial(X509* certificate, std::string_view serial) {
  const NumberPtr number(BN_bin2bn(bytes_of(serial), static_cast<int>(serial.size()), nullptr));
  return number != nullptr &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_validity(X509* certificate, const Validity& validity) {
  const auto set = [](ASN1_TIME* to, CertTime time) {
    return ASN1_TIME_set(to, std::chrono::system_clock::to_time_t(time)) != nullptr;
  };
  return set(X509_getm_notBefore(certificate), validity.not_before) &&
         set(X509_getm_notAfter(certificate), validity.not_after);
}

bool add_name(X509_NAME* name, const char* field, std::string_view value) {
  return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, bytes_of(value),
                                    static_cast<int>(value.size()), -1, 0) == 1;
}

// SHA-1 over the key's bits (RFC 5280 s. 4.2.1.2, method 1).
OctetsPtr key_id(const X509* certificate) {
  const ASN1_BIT_STRING* bits = X509_get0_pubkey_bitstr(certificate);
  std::array<unsigned char, SHA_DIGEST_LENGTH> hash{};
  OctetsPtr id(ASN1_OCTET_STRING_new());
  if (bits == nullptr || id == nullptr ||
      EVP_Digest(ASN1_STRING_get0_data(bits), static_cast<std::size_t>(ASN1_STRING_length(bits)),
                 hash.data(), nullptr, EVP_sha1(), nullptr) != 1 ||
      ASN1_OCTET_STRING_set(id.get(), hash.data(), static_cast<int>(hash.size())) != 1) {
    return nullptr;
  }
  return id;
}

bool add_subject_key_id(X509* certificate) {
  const OctetsPtr id = key_id(certificate);
  return id != nullptr && add(certificate, NID_subject_key_identifier, id.get(), false);
}

bool add_authority_key_id(X509* certificate, X509* ca) {
  const KeyIdPtr authority(AUTHORITY_KEYID_new());
  if (authority == nullptr) return false;
  // What the CA calls its key, however it made that up; else what it would be by the rule.
  const ASN1_OCTET_STRING* own = X509_get0_subject_key_id(ca);
  authority->keyid = own != nullptr ? ASN1_OCTET_STRING_dup(own) : key_id(ca).release();
  return authority->keyid != nullptr &&
         add(certificate, NID_authority_key_identifier, authority.get(), false);
}

bool add_constraints(X509* certificate, bool is_ca) {
  const ConstraintsPtr constraints(BASIC_CONSTRAINTS_new());
  if (constraints == nullptr) return false;
  if (is_ca) {
    constraints->ca = 0xff;
    constraints->pathlen = ASN1_INTEGER_new();
    if (constraints->pathlen == nullptr || ASN1_INTEGER_set(constraints->pathlen, 0) != 1) {
      return false;
    }
  }
  return add(certificate, NID_basic_constraints, constraints.get(), true);
}

bool add_key_usage(X509* certificate, std::initializer_list<int> usages) {
  const BitsPtr bits(ASN1_BIT_STRING_new());
  if (bits == nullptr) return false;
  for (const int usage : usages) {
    if (ASN1_BIT_STRING_set_bit(bits.get(), usage, 1) != 1) return false;
  }
  return add(certificate, NID_key_usage, bits.get(), true);
}

bool add_server_auth(X509* certificate) {
  const UsagesPtr usages(EXTENDED_KEY_USAGE_new());
  return usages != nullptr &&
         sk_ASN1_OBJECT_push(usages.get(), OBJ_dup(OBJ_nid2obj(NID_server_auth))) > 0 &&
         add(certificate, NID_ext_key_usage, usages.get(), false);
}

NamePtr alternative_name(const base::Host& host) {
  NamePtr name(GENERAL_NAME_new());
  const bool is_ip = host.is_ip();
  StringPtr value(ASN1_STRING_type_new(is_ip ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING));
  if (name == nullptr || value == nullptr) return nullptr;
  const int set =
      is_ip
          ? ASN1_STRING_set(value.get(), host.ip()->bytes().data(), host.ip()->is_v4() ? 4 : 16)
          : ASN1_STRING_set(value.get(), host.text().data(), static_cast<int>(host.text().size()));
  if (set != 1) return nullptr;
  GENERAL_NAME_set0_value(name.get(), is_ip ? GEN_IPADD : GEN_DNS, value.release());
  return name;
}

bool add_alternative_name(X509* certificate, const base::Host& host, bool is_critical) {
  const NamesPtr names(GENERAL_NAMES_new());
  NamePtr name = alternative_name(host);
  if (names == nullptr || name == nullptr || sk_GENERAL_NAME_push(names.get(), name.get()) <= 0) {
    return false;
  }
  (void)name.release();  // the list's now
  return add(certificate, NID_subject_alt_name, names.get(), is_critical);
}

CertPtr begin_certificate(EVP_PKEY* key, const Validity& validity, std::string_view serial) {
  ERR_clear_error();
  CertPtr certificate(X509_new());
  if (certificate == nullptr || X509_set_version(certificate.get(), X509_VERSION_3) != 1 ||
      !set_serial(certificate.get(), serial) || !set_validity(certificate.get(), validity) ||
      X509_set_pubkey(certificate.get(), key) != 1) {
    return nullptr;
  }
  return certificate;
}

CertTime time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

}  // namespace

KeyPtr new_p256_key() {
  ERR_clear_error();
  return KeyPtr(EVP_EC_gen("P-256"));
}

// EC_KEY is deprecated, not gone; nothing newer makes such a key.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
KeyPtr new_leaf_key() {
  ERR_clear_error();
  const auto free_pair = [](EC_KEY* pair) { EC_KEY_free(pair); };
  std::unique_ptr<EC_KEY, decltype(free_pair)> pair(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
  KeyPtr key(EVP_PKEY_new());
  if (pair == nullptr || key == nullptr || EC_KEY_generate_key(pair.get()) != 1 ||
      EVP_PKEY_assign_EC_KEY(key.get(), pair.get()) != 1) {
    return nullptr;
  }
  (void)pair.release();  // the key's now
  return key;
}

KeyPtr leaf_key_from(const LeafPoint& point) {
  ERR_clear_error();
  const auto free_pair = [](EC_KEY* pair) { EC_KEY_free(pair); };
  std::unique_ptr<EC_KEY, decltype(free_pair)> pair(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
  KeyPtr key(EVP_PKEY_new());
  if (pair == nullptr || key == nullptr ||
      EC_KEY_oct2key(pair.get(), point.data(), point.size(), nullptr) != 1 ||
      EVP_PKEY_assign_EC_KEY(key.get(), pair.get()) != 1) {
    return nullptr;
  }
  (void)pair.release();  // the key's now
  return key;
}

LeafPoint point_of(EVP_PKEY* leaf_key) {
  LeafPoint out{};
  const EC_KEY* pair = EVP_PKEY_get0_EC_KEY(leaf_key);
  if (pair == nullptr || EC_POINT_point2oct(EC_KEY_get0_group(pair), EC_KEY_get0_public_key(pair),
                                            POINT_CONVERSION_UNCOMPRESSED, out.data(), out.size(),
                                            nullptr) != out.size()) {
    return {};
  }
  return out;
}
#pragma GCC diagnostic pop

CertPtr make_ca_certificate(EVP_PKEY* key, const Validity& validity) {
  CertPtr certificate = begin_certificate(key, validity, random_bytes(16));
  if (certificate == nullptr) return nullptr;
  X509* c = certificate.get();
  X509_NAME* name = X509_get_subject_name(c);
  const bool is_made = add_name(name, "O", "leash") && add_name(name, "CN", "leash CA") &&
                       X509_set_issuer_name(c, name) == 1 && add_constraints(c, true) &&
                       add_key_usage(c, {kKeyCertSign, kCrlSign}) && add_subject_key_id(c) &&
                       X509_sign(c, key, EVP_sha256()) > 0;
  return is_made ? std::move(certificate) : nullptr;
}

CertPtr make_leaf_certificate(const base::Host& host, EVP_PKEY* leaf_key, X509* ca,
                              const Validity& validity, std::string_view serial) {
  CertPtr certificate = begin_certificate(leaf_key, validity, serial);
  if (certificate == nullptr) return nullptr;
  X509* c = certificate.get();
  // A longer name stands in the SAN alone, which an empty subject makes critical (RFC 5280
  // s. 4.2.1.6).
  const bool has_subject = host.text().size() <= kMaxCommonNameBytes;
  const bool is_made = (!has_subject || add_name(X509_get_subject_name(c), "CN", host.text())) &&
                       X509_set_issuer_name(c, X509_get_subject_name(ca)) == 1 &&
                       add_alternative_name(c, host, !has_subject) && add_constraints(c, false) &&
                       add_key_usage(c, {kDigitalSignature}) && add_server_auth(c) &&
                       add_subject_key_id(c) && add_authority_key_id(c, ca);
  return is_made ? std::move(certificate) : nullptr;
}

// OpenSSL has no call that sets a signature, but hands out the places where they stand.
bool set_signature(X509* certificate, X509* ca, std::string_view signature) {
  const ASN1_BIT_STRING* bits = nullptr;
  const X509_ALGOR* outer = nullptr;
  X509_get0_signature(&bits, &outer, certificate);
  const bool is_rsa = EVP_PKEY_is_a(X509_get0_pubkey(ca), "RSA") == 1;
  const int algorithm = is_rsa ? NID_sha256WithRSAEncryption : NID_ecdsa_with_SHA256;
  const int parameter = is_rsa ? V_ASN1_NULL : V_ASN1_UNDEF;  // RFC 4055 s. 5, RFC 5758 s. 3.2
  for (const X509_ALGOR* place : {X509_get0_tbs_sigalg(certificate), outer}) {
    if (X509_ALGOR_set0(const_cast<X509_ALGOR*>(place), OBJ_nid2obj(algorithm), parameter,
                        nullptr) != 1) {
      return false;
    }
  }
  auto* to = const_cast<ASN1_BIT_STRING*>(bits);
  if (ASN1_STRING_set(to, signature.data(), static_cast<int>(signature.size())) != 1) return false;
  to->flags = (to->flags & ~0x07L) | ASN1_STRING_FLAG_BITS_LEFT;  // no bits are left over
  return true;
}

std::string signature_of(const X509* certificate) {
  const ASN1_BIT_STRING* bits = nullptr;
  X509_get0_signature(&bits, nullptr, certificate);
  if (bits == nullptr) return {};
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(bits)),
          static_cast<std::size_t>(ASN1_STRING_length(bits))};
}

std::string der_of(X509* certificate) {
  const int size = i2d_X509(certificate, nullptr);
  if (size <= 0) return {};
  std::string der(static_cast<std::size_t>(size), '\0');
  auto* to = reinterpret_cast<unsigned char*>(der.data());
  return i2d_X509(certificate, &to) == size ? der : std::string();
}

Validity validity_of(const X509* certificate) {
  return {time_of(X509_get0_notBefore(certificate)), time_of(X509_get0_notAfter(certificate))};
}

std::string fingerprint_of(const X509* certificate) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) return {};
  std::string out;
  for (unsigned i = 0; i < size; ++i) {
    if (i > 0) out.push_back(':');
    out.push_back(kDigits[digest[i] >> 4]);
    out.push_back(kDigits[digest[i] & 15]);
  }
  return out;
}

std::string subject_of(const X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr ||
      X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate), 0, XN_FLAG_ONELINE) < 0) {
    return {};
  }
  const char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

std::string iso_8601(CertTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), size};
}

}  // namespace leash::tls
