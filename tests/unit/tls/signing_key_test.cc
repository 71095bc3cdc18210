#include "tls/signing_key.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "unit/tls/temp_dir.h"

namespace leash::tls {
namespace {

std::string text_of(const Signature& signature) {
  return {reinterpret_cast<const char*>(signature.data()), signature.size()};
}

TEST_CASE("the first open makes a key and later ones use it") {
  const TempDir dir;
  const std::string place = dir.file("deep/er");
  const auto first = SigningKey::open(place);
  REQUIRE(first);
  CHECK(dir.mode("deep/er") == 0700);
  CHECK(dir.mode("deep/er/leash-audit-key.pem") == 0600);
  CHECK(dir.mode("deep/er/leash-audit-key.pub.pem") == 0644);
  const auto second = SigningKey::open(place);
  REQUIRE(second);
  CHECK(first->public_key().id() == second->public_key().id());
  CHECK(first->sign("x") == second->sign("x"));  // Ed25519 is deterministic
  CHECK(std::distance(std::filesystem::directory_iterator(place), {}) == 2);  // no leftovers
}

TEST_CASE("the public file verifies what the key signed and nothing else") {
  const TempDir dir;
  const auto key = SigningKey::open(dir.path());
  REQUIRE(key);
  const auto half = PublicKey::parse(dir.text("leash-audit-key.pub.pem"));
  REQUIRE(half);
  const std::string signature = text_of(key->sign("chain value"));
  CHECK(half->verifies("chain value", signature));
  CHECK_FALSE(half->verifies("chain Value", signature));
  CHECK_FALSE(half->verifies("", signature));
  CHECK_FALSE(half->verifies("chain value", signature.substr(1)));
  CHECK_FALSE(half->verifies("chain value", ""));
  std::string bent = signature;
  bent[10] = static_cast<char>(bent[10] ^ 1);
  CHECK_FALSE(half->verifies("chain value", bent));
}

TEST_CASE("a key that others may read is refused with the command that mends it") {
  const TempDir dir;
  REQUIRE(SigningKey::open(dir.path()));
  const std::string path = dir.file("leash-audit-key.pem");
  for (const int mode : {0640, 0604, 0610}) {
    std::filesystem::permissions(path, static_cast<std::filesystem::perms>(mode));
    const auto key = SigningKey::open(dir.path());
    REQUIRE_FALSE(key);
    CHECK(key.error().code == base::Code::kBadKeyFile);
    CHECK(key.error().detail.find("chmod 600 " + path) != std::string::npos);
  }
  std::filesystem::permissions(path, std::filesystem::perms::owner_read);
  CHECK(SigningKey::open(dir.path()));
}

TEST_CASE("a key behind a symbolic link is refused") {
  const TempDir dir;
  REQUIRE(SigningKey::open(dir.path()));
  std::filesystem::rename(dir.file("leash-audit-key.pem"), dir.file("elsewhere"));
  std::filesystem::create_symlink(dir.file("elsewhere"), dir.file("leash-audit-key.pem"));
  const auto key = SigningKey::open(dir.path());
  REQUIRE_FALSE(key);
  CHECK(key.error().code == base::Code::kBadKeyFile);
}

TEST_CASE("a lost public file is written again and a foreign one is refused") {
  const TempDir dir;
  const TempDir other;
  REQUIRE(SigningKey::open(dir.path()));
  REQUIRE(SigningKey::open(other.path()));
  const std::string own = dir.text("leash-audit-key.pub.pem");
  std::filesystem::remove(dir.file("leash-audit-key.pub.pem"));
  REQUIRE(SigningKey::open(dir.path()));
  CHECK(dir.text("leash-audit-key.pub.pem") == own);
  dir.put("leash-audit-key.pub.pem", other.text("leash-audit-key.pub.pem"), 0644);
  CHECK_FALSE(SigningKey::open(dir.path()));
}

TEST_CASE("a lost key is not replaced in silence") {
  const TempDir dir;
  REQUIRE(SigningKey::open(dir.path()));
  std::filesystem::remove(dir.file("leash-audit-key.pem"));
  const auto key = SigningKey::open(dir.path());
  REQUIRE_FALSE(key);
  CHECK(key.error().code == base::Code::kBadKeyFile);
}

TEST_CASE("rubbish in the place of a key is refused") {
  const TempDir dir;
  dir.put("leash-audit-key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
  CHECK_FALSE(SigningKey::open(dir.path()));
  dir.put("leash-audit-key.pem", "");
  CHECK_FALSE(SigningKey::open(dir.path()));
  CHECK_FALSE(PublicKey::parse(""));
  CHECK_FALSE(PublicKey::parse("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"));
}

}  // namespace
}  // namespace leash::tls
