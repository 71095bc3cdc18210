#include "tls/authority_store.h"

#include <doctest/doctest.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include <filesystem>
#include <set>
#include <string>
#include <thread>

#include "tls/certificate.h"
#include "tls/direct_leaves.h"
#include "tls/leaf.h"
#include "tls/pem.h"
#include "unit/tls/temp_dir.h"
#include "unit/tls/test_pki.h"

namespace leash::tls {
namespace {

using std::chrono::hours;

base::Host host(const std::string& text) {
  auto parsed = base::Host::parse(text);
  REQUIRE(parsed);
  return *parsed;
}

std::string refusal(const TempDir& dir) {
  const auto issuer = DirectIssuer::open(dir.path());
  if (issuer) return {};
  CHECK(issuer.error().code == base::Code::kBadKeyFile);
  return issuer.error().detail;
}

std::string text_of(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  X509_print_ex(bio.get(), certificate, XN_FLAG_ONELINE, 0);
  const char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

Identity ca_with(CertSpec spec) {
  spec.cn = "own CA";
  spec.eku.clear();
  if (spec.constraints == "critical,CA:FALSE") spec.constraints = "critical,CA:TRUE";
  return make_identity(spec);
}

TEST_CASE("the first start makes a CA, later ones use it") {
  const TempDir dir;
  const std::string place = dir.file("deep/ca");
  const auto first = DirectIssuer::open(place);
  REQUIRE(first);
  CHECK(dir.mode("deep/ca") == 0700);
  CHECK(dir.mode("deep/ca/leash-ca-key.pem") == 0600);
  CHECK(dir.mode("deep/ca/leash-ca-cert.pem") == 0644);
  CHECK((*first)->certificate_path() == place + "/leash-ca-cert.pem");
  CHECK((*first)->certificate_pem() == dir.text("deep/ca/leash-ca-cert.pem"));
  CHECK((*first)->fingerprint().size() == 32 * 3 - 1);
  const auto second = DirectIssuer::open(place);
  REQUIRE(second);
  CHECK((*first)->fingerprint() == (*second)->fingerprint());
  CHECK(std::distance(std::filesystem::directory_iterator(place), {}) == 2);

  const CertPtr ca = certificate_from((*first)->certificate_pem());
  const std::string text = text_of(ca.get());
  CHECK(holds(text, "O = leash, CN = leash CA"));
  CHECK(holds(text, "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0"));
  CHECK(holds(text, "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign"));
  CHECK(holds(text, "X509v3 Subject Key Identifier"));
  const Validity validity = validity_of(ca.get());
  const auto now = std::chrono::system_clock::now();
  CHECK(validity.not_after > now + hours(24 * 3649));
  CHECK(validity.not_after < now + hours(24 * 3651));
}

TEST_CASE("starts at the same time end with one CA") {
  const TempDir dir;
  std::vector<std::string> prints(4);
  std::vector<std::thread> threads;
  for (std::string& print : prints) {
    threads.emplace_back([&dir, &print] {
      const auto issuer = DirectIssuer::open(dir.path());
      print = issuer ? (*issuer)->fingerprint() : issuer.error().text();
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(std::set<std::string>(prints.begin(), prints.end()).size() == 1);
}

TEST_CASE("a leaf has the whole profile, under another key than the CA's") {
  const TempDir dir;
  const auto issuer = DirectIssuer::open(dir.path());
  REQUIRE(issuer);
  const auto leaf = (*issuer)->issue(host("api.example.com"));
  REQUIRE(leaf);
  X509* c = (*leaf)->certificate();
  const std::string text = text_of(c);
  CHECK(holds(text, "Subject: CN = api.example.com\n"));
  CHECK(holds(text, "Issuer: O = leash, CN = leash CA\n"));
  CHECK(holds(text, "X509v3 Subject Alternative Name: \n                DNS:api.example.com\n"));
  CHECK(holds(text, "TLS Web Server Authentication\n"));
  CHECK(holds(text, "CA:FALSE"));
  CHECK(holds(text, "Digital Signature\n"));
  CHECK(holds(text, "X509v3 Subject Key Identifier"));
  CHECK(holds(text, "X509v3 Authority Key Identifier"));
  CHECK(holds(text, "ASN1 OID: prime256v1"));
  CHECK(X509_check_private_key(c, (*leaf)->key()) == 1);

  const CertPtr ca = certificate_from((*issuer)->certificate_pem());
  CHECK(X509_verify(c, X509_get0_pubkey(ca.get())) == 1);
  CHECK(EVP_PKEY_eq(X509_get0_pubkey(c), X509_get0_pubkey(ca.get())) == 0);
  CHECK(X509_check_issued(ca.get(), c) == X509_V_OK);

  const Validity validity = validity_of(c);
  const auto now = std::chrono::system_clock::now();
  CHECK(validity.not_before <= now - hours(1));
  CHECK(validity.not_before > now - hours(2));
  CHECK(validity.not_after <= now + hours(7 * 24));
  CHECK(validity.not_after > now + hours(7 * 24 - 1));
}

TEST_CASE("leaves share their key and never a serial") {
  const TempDir dir;
  const auto issuer = DirectIssuer::open(dir.path());
  REQUIRE(issuer);
  std::set<std::string> serials;
  std::shared_ptr<const Leaf> last;
  for (int i = 0; i < 50; ++i) {
    const auto leaf = (*issuer)->issue(host("a.test"));
    REQUIRE(leaf);
    if (last) CHECK(EVP_PKEY_eq(last->key(), (*leaf)->key()) == 1);
    last = *leaf;
    const ASN1_INTEGER* serial = X509_get0_serialNumber(last->certificate());
    CHECK(ASN1_STRING_length(serial) <= 20);
    CHECK(ASN1_STRING_type(serial) == V_ASN1_INTEGER);  // not negative
    serials.emplace(reinterpret_cast<const char*>(ASN1_STRING_get0_data(serial)),
                    static_cast<std::size_t>(ASN1_STRING_length(serial)));
  }
  CHECK(serials.size() == 50);
}

TEST_CASE("a name too long for the subject stands in a critical subjectAltName") {
  const TempDir dir;
  const auto issuer = DirectIssuer::open(dir.path());
  REQUIRE(issuer);
  const std::string just(std::string(60, 'a') + ".com");
  const auto fits = (*issuer)->issue(host(just));
  REQUIRE(fits);
  CHECK(holds(text_of((*fits)->certificate()), "Subject: CN = " + just));
  const std::string longer(std::string(61, 'a') + ".com");
  const auto leaf = (*issuer)->issue(host(longer));
  REQUIRE(leaf);
  const std::string text = text_of((*leaf)->certificate());
  CHECK(holds(text, "Subject: \n"));
  CHECK(holds(text, "Subject Alternative Name: critical\n                DNS:" + longer + "\n"));
  const std::string label(63, 'b');
  CHECK((*issuer)->issue(host(label + "." + label + "." + label + "." + std::string(61, 'b'))));
}

TEST_CASE("an address stands in the leaf as an address") {
  const TempDir dir;
  const auto issuer = DirectIssuer::open(dir.path());
  REQUIRE(issuer);
  const auto v4 = (*issuer)->issue(host("192.0.2.7"));
  const auto v6 = (*issuer)->issue(host("[2001:db8::7]"));
  REQUIRE(v4);
  REQUIRE(v6);
  CHECK(holds(text_of((*v4)->certificate()), "                IP Address:192.0.2.7\n"));
  CHECK(holds(text_of((*v6)->certificate()), "IP Address:2001:DB8:0:0:0:0:0:7\n"));
  CHECK_FALSE((*issuer)->issue(base::Host()));
}

TEST_CASE("a key that others can read stops the start, with the command that mends it") {
  const TempDir dir;
  REQUIRE(DirectIssuer::open(dir.path()));
  const std::string path = dir.file("leash-ca-key.pem");
  for (const int mode : {0604, 0640, 0666, 0700 | 010}) {
    CAPTURE(mode);
    std::filesystem::permissions(path, static_cast<std::filesystem::perms>(mode));
    CHECK(holds(refusal(dir), "chmod 600 " + path));
  }
  std::filesystem::permissions(path, static_cast<std::filesystem::perms>(0400));
  CHECK(refusal(dir).empty());
}

TEST_CASE("links, folders and FIFOs are no key files") {
  const TempDir dir;
  REQUIRE(DirectIssuer::open(dir.path()));
  const std::string path = dir.file("leash-ca-key.pem");
  std::filesystem::rename(path, dir.file("real.pem"));
  std::filesystem::create_symlink(dir.file("real.pem"), path);
  CHECK(holds(refusal(dir), "symbolic link"));
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  CHECK(holds(refusal(dir), "not a regular file"));
  std::filesystem::remove(path);
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  CHECK(holds(refusal(dir), "not a regular file"));
}

TEST_CASE("a key and a certificate that do not belong together are refused") {
  const TempDir dir;
  const TempDir other;
  REQUIRE(DirectIssuer::open(dir.path()));
  REQUIRE(DirectIssuer::open(other.path()));
  dir.put("leash-ca-cert.pem", other.text("leash-ca-cert.pem"), 0644);
  CHECK(holds(refusal(dir), "does not belong"));
}

TEST_CASE("a certificate that lost its key is not replaced, a key without one gets one") {
  const TempDir dir;
  REQUIRE(DirectIssuer::open(dir.path()));
  std::filesystem::remove(dir.file("leash-ca-cert.pem"));
  CHECK(refusal(dir).empty());
  CHECK(holds(dir.text("leash-ca-cert.pem"), "BEGIN CERTIFICATE"));
  const std::string before = dir.text("leash-ca-cert.pem");
  std::filesystem::remove(dir.file("leash-ca-key.pem"));
  CHECK(holds(refusal(dir), "is gone"));
  CHECK(dir.text("leash-ca-cert.pem") == before);
}

TEST_CASE("an expired, an early and a false CA are refused") {
  const TempDir dir;
  const auto put = [&dir](const Identity& ca) {
    dir.put("leash-ca-key.pem", private_pem(ca.key.get()));
    dir.put("leash-ca-cert.pem", pem_of(ca), 0644);
  };
  CertSpec spec;
  spec.begins = hours(-48);
  spec.ends = hours(-1);
  put(ca_with(spec));
  CHECK(holds(refusal(dir), "expired on 20"));
  spec.begins = hours(1);
  spec.ends = hours(48);
  put(ca_with(spec));
  CHECK(holds(refusal(dir), "not valid before 20"));
  put(make_identity({"a.test", "DNS:a.test"}));
  CHECK(holds(refusal(dir), "not a CA's"));
  put(ca_with({}));
  CHECK(refusal(dir).empty());
}

TEST_CASE("rubbish and encrypted keys are refused without a question on the terminal") {
  const TempDir dir;
  dir.put("leash-ca-key.pem", "");
  CHECK(holds(refusal(dir), "no private key"));
  const KeyPtr key = new_p256_key();
  const BioPtr bio(BIO_new(BIO_s_mem()));
  REQUIRE(PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), EVP_aes_128_cbc(), "secret", 6,
                                        nullptr, nullptr) == 1);
  const char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  dir.put("leash-ca-key.pem", std::string(data, static_cast<std::size_t>(size)));
  CHECK(holds(refusal(dir), "no private key"));
  const KeyPtr ed(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  dir.put("leash-ca-key.pem", private_pem(ed.get()));
  CHECK(holds(refusal(dir), "neither an EC nor an RSA key"));
  dir.put("leash-ca-key.pem", std::string(300000, 'x'));
  CHECK(holds(refusal(dir), "too large"));
}

TEST_CASE("mitmproxy's CA is used as it is, key and certificate in one file") {
  for (const int bits : {0, 2048}) {
    const TempDir dir;
    CertSpec spec;
    spec.rsa_bits = bits;
    const Identity ca = ca_with(spec);
    dir.put("mitmproxy-ca.pem", private_pem(ca.key.get()) + pem_of(ca));
    const auto issuer = DirectIssuer::open(dir.path());
    REQUIRE(issuer);
    CHECK((*issuer)->certificate_pem() == pem_of(ca));
    CHECK((*issuer)->certificate_path() == dir.file("mitmproxy-ca-cert.pem"));
    CHECK(dir.text("mitmproxy-ca-cert.pem") == pem_of(ca));
    CHECK_FALSE(std::filesystem::exists(dir.file("leash-ca-key.pem")));
    const auto leaf = (*issuer)->issue(host("a.test"));
    REQUIRE(leaf);
    CHECK(X509_verify((*leaf)->certificate(), ca.key.get()) == 1);
    // Never past the CA's own end, 24 hours from now.
    CHECK(validity_of((*leaf)->certificate()).not_after ==
          validity_of(ca.certificate.get()).not_after);
    const auto seen = read_ca_certificate(dir.path());
    REQUIRE(seen);
    CHECK(seen->fingerprint == (*issuer)->fingerprint());
  }
}

TEST_CASE("mitmproxy's CA must be private and whole too") {
  const TempDir dir;
  const Identity ca = ca_with({});
  dir.put("mitmproxy-ca.pem", private_pem(ca.key.get()) + pem_of(ca), 0644);
  CHECK(holds(refusal(dir), "chmod 600"));
  dir.put("mitmproxy-ca.pem", private_pem(ca.key.get()));
  CHECK(holds(refusal(dir), "no certificate"));
  CertSpec weak;
  weak.rsa_bits = 1024;
  const Identity small = ca_with(weak);
  dir.put("mitmproxy-ca.pem", private_pem(small.key.get()) + pem_of(small));
  CHECK(holds(refusal(dir), "2048"));
}

TEST_CASE("the certificate is read without its key, and never made") {
  const TempDir dir;
  const auto none = read_ca_certificate(dir.path());
  REQUIRE_FALSE(none);
  CHECK(none.error().code == base::Code::kIo);
  CHECK(std::filesystem::is_empty(dir.path()));
  const auto issuer = DirectIssuer::open(dir.path());
  REQUIRE(issuer);
  std::filesystem::permissions(dir.file("leash-ca-key.pem"), std::filesystem::perms::none);
  const auto seen = read_ca_certificate(dir.path());
  REQUIRE(seen);
  CHECK(seen->path == dir.file("leash-ca-cert.pem"));
  CHECK(seen->pem == (*issuer)->certificate_pem());
  CHECK(seen->fingerprint == (*issuer)->fingerprint());
  CHECK(seen->subject == "O = leash, CN = leash CA");
  CHECK(seen->not_after.size() == 20);
  CHECK(seen->not_after.back() == 'Z');
}

}  // namespace
}  // namespace leash::tls
