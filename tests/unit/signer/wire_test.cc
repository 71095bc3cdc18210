#include "signer/wire.h"

#include <doctest/doctest.h>

#include <string>

namespace leash::signer {
namespace {

base::Host host(const std::string& text) {
  auto parsed = base::Host::parse(text);
  REQUIRE(parsed);
  return *parsed;
}

std::string message(const std::string& form, const std::string& bytes) {
  return "M" + std::string(8, '\0') + form + bytes;
}

TEST_CASE("a request for a name, an IPv4 and an IPv6 address comes back as it was") {
  for (const char* name : {"a.test", "x-1._tcp.b.test", "192.0.2.7", "[2001:db8::7]"}) {
    CAPTURE(name);
    const auto read = read_request(write_request({0x0102030405060708, host(name)}));
    REQUIRE(read);
    CHECK(read->id == 0x0102030405060708);
    CHECK(read->host == host(name));
    CHECK(read->host.is_ip() == host(name).is_ip());
  }
}

TEST_CASE("only the one canonical form of a name is a request") {
  for (const std::string name :
       {"A.test", "a.test.", "192.0.2.7", "2130706433", "[::1]", "a..test", "a.test\n", "*.test",
        "a test", "a.test:443", "user@a.test", "", "xn--a", "caf\xc3\xa9.test"}) {
    CAPTURE(name);
    CHECK_FALSE(read_request(message("n", name)));
  }
  CHECK(read_request(message("n", "a.test")));
  CHECK_FALSE(read_request(message("n", std::string(254, 'a'))));
  const std::string label(63, 'b');
  CHECK(read_request(message("n", label + "." + label + "." + label + "." + std::string(61, 'b'))));
}

TEST_CASE("an address has its exact size, and a mapped one is none") {
  CHECK_FALSE(read_request(message("4", "abc")));
  CHECK_FALSE(read_request(message("4", "abcde")));
  CHECK_FALSE(read_request(message("6", "abcd")));
  CHECK_FALSE(read_request(message("6", std::string(17, 'a'))));
  CHECK(read_request(message("6", std::string(16, ' '))));
  CHECK_FALSE(read_request(message("6", std::string(10, '\0') + "\xff\xff" + "abcd")));
}

TEST_CASE("nothing else can be asked for") {
  const std::string good = message("n", "a.test");
  for (std::size_t size = 0; size < 11; ++size) CHECK_FALSE(read_request(good.substr(0, size)));
  for (const char type : {'R', 'L', 'S', 'm', '\0'}) {
    std::string other = good;
    other[0] = type;
    CHECK_FALSE(read_request(other));
  }
  CHECK_FALSE(read_request(message("x", "a.test")));
}

TEST_CASE("answers come back as they were, and broken ones do not") {
  Answer leaf;
  leaf.kind = Answer::Kind::kLeaf;
  leaf.id = 7;
  leaf.leaf.not_before = std::chrono::system_clock::from_time_t(1'795'000'000);
  leaf.leaf.not_after = std::chrono::system_clock::from_time_t(1'795'600'000);
  leaf.leaf.serial.fill(0xab);
  leaf.leaf.signature = "signature";
  leaf.leaf.der = std::string(500, 'd');
  const std::string bytes = write_answer(leaf);
  const auto read = read_answer(bytes);
  REQUIRE(read);
  CHECK(read->kind == Answer::Kind::kLeaf);
  CHECK(read->id == 7);
  CHECK(read->leaf.not_before == leaf.leaf.not_before);
  CHECK(read->leaf.not_after == leaf.leaf.not_after);
  CHECK(read->leaf.serial == leaf.leaf.serial);
  CHECK(read->leaf.signature == "signature");
  CHECK(read->leaf.der == leaf.leaf.der);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(read_answer(bytes.substr(0, size)));
  }
  CHECK_FALSE(read_answer(bytes + "x"));

  Answer refused;
  refused.kind = Answer::Kind::kRefused;
  refused.id = 9;
  refused.code = base::Code::kBadKeyFile;
  refused.text = "expired";
  const auto told = read_answer(write_answer(refused));
  REQUIRE(told);
  CHECK(told->kind == Answer::Kind::kRefused);
  CHECK(told->id == 9);
  CHECK(told->code == base::Code::kBadKeyFile);
  CHECK(told->text == "expired");
}

}  // namespace
}  // namespace leash::signer
