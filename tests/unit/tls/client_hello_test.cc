#include "tls/client_hello.h"

#include <doctest/doctest.h>

#include <string>

#include "unit/tls/test_pki.h"

namespace leash::tls {
namespace {

std::string u8(std::size_t value) { return {static_cast<char>(value)}; }
std::string u16(std::size_t value) { return u8(value >> 8) + u8(value & 0xff); }
std::string u24(std::size_t value) { return u8(value >> 16) + u16(value & 0xffff); }
std::string extension(std::size_t type, const std::string& body) {
  return u16(type) + u16(body.size()) + body;
}
std::string name_entry(const std::string& name) { return u8(0) + u16(name.size()) + name; }
std::string server_name(const std::string& entries) {
  return extension(0, u16(entries.size()) + entries);
}
std::string alpn(const std::string& list) { return extension(16, u16(list.size()) + list); }

std::string message(const std::string& extensions) {
  const std::string body = u16(0x0303) + std::string(32, 'r') + u8(0) + u16(2) + u16(0x1301) +
                           u8(1) + u8(0) + u16(extensions.size()) + extensions;
  return u8(1) + u24(body.size()) + body;
}
std::string records(const std::string& text, std::size_t piece = 16384) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    const std::string part = text.substr(at, piece);
    out += u8(22) + u16(0x0301) + u16(part.size()) + part;
  }
  return out;
}
base::Code code_of(const std::string& bytes) {
  const auto hello = peek_client_hello(bytes);
  return hello ? base::Code::kInternal : hello.error().code;
}
constexpr base::Code kBad = base::Code::kBadClientHello;

// A real hello, without its record header.
std::string real_message(const char* name) {
  const SslCtxPtr context = raw_client();
  RawPeer peer(context.get(), RawPeer::Role::kClient);
  if (name != nullptr) SSL_set_tlsext_host_name(peer.ssl(), name);
  SSL_set_alpn_protos(peer.ssl(), bytes_of("\x02h2\x08http/1.1"), 12);
  return peer.step("").substr(5);
}

TEST_CASE("OpenSSL's hello is read, whole and in one-byte records") {
  const std::string text = real_message("api.example.com");
  for (const std::size_t piece : {16384U, 100U, 3U, 1U}) {
    CAPTURE(piece);
    const auto hello = peek_client_hello(records(text, piece));
    REQUIRE(hello);
    REQUIRE(hello->has_value());
    CHECK((*hello)->sni == "api.example.com");
    CHECK((*hello)->alpn == std::vector<std::string>{"h2", "http/1.1"});
    CHECK_FALSE((*hello)->has_ech);
  }
}

TEST_CASE("a hello without server_name has none") {
  const auto hello = peek_client_hello(records(real_message(nullptr), 1));
  REQUIRE(hello);
  REQUIRE(hello->has_value());
  CHECK_FALSE((*hello)->sni.has_value());
}

TEST_CASE("every shorter piece of a hello asks for more") {
  const std::string text = records(message(server_name(name_entry("a.test"))), 7);
  for (std::size_t size = 0; size < text.size(); ++size) {
    CAPTURE(size);
    const auto hello = peek_client_hello(text.substr(0, size));
    REQUIRE(hello);
    CHECK_FALSE(hello->has_value());
  }
  const auto hello = peek_client_hello(text + "whatever follows");
  REQUIRE(hello);
  REQUIRE(hello->has_value());
  CHECK((*hello)->sni == "a.test");
}

TEST_CASE("what cannot begin TLS is not_http") {
  CHECK(code_of("SSH-2.0-x") == base::Code::kNotHttp);
  CHECK(code_of("\x80\x2e\x01\x03") == base::Code::kNotHttp);  // SSLv2
  CHECK(code_of("\x17\x03\x03") == base::Code::kNotHttp);
  CHECK(code_of(std::string("\x16\x05\x01", 3)) == kBad);
}

TEST_CASE("two server names are refused, in one list or in two extensions") {
  CHECK(code_of(records(message(server_name(name_entry("a.test") + name_entry("b.test"))))) ==
        kBad);
  CHECK(code_of(records(message(server_name(name_entry("a.test")) +
                                server_name(name_entry("b.test"))))) == kBad);
}

TEST_CASE("broken server names are refused") {
  CHECK(code_of(records(message(server_name(name_entry(""))))) == kBad);
  CHECK(code_of(records(message(server_name("")))) == kBad);
  CHECK(code_of(records(message(extension(0, "")))) == kBad);
  CHECK(code_of(records(message(server_name(name_entry(std::string("a\0b", 3)))))) == kBad);
  CHECK(code_of(records(message(server_name(name_entry(std::string(256, 'a')))))) == kBad);
  CHECK(code_of(records(message(server_name(u8(1) + u16(1) + "a")))) == kBad);
  CHECK(code_of(records(message(server_name(name_entry("a") + "x")))) == kBad);
  CHECK(code_of(records(message(extension(0, u16(4) + name_entry("a") + "x")))) == kBad);
}

TEST_CASE("broken ALPN lists are refused") {
  CHECK(code_of(records(message(alpn("")))) == kBad);
  CHECK(code_of(records(message(alpn(u8(0))))) == kBad);
  CHECK(code_of(records(message(alpn(u8(3) + "h2")))) == kBad);
}

TEST_CASE("ECH is seen, drafts too") {
  for (const std::size_t type : {0xfe0dU, 0xfe0aU}) {
    const auto hello = peek_client_hello(records(message(extension(type, "grease"))));
    REQUIRE(hello);
    REQUIRE(hello->has_value());
    CHECK((*hello)->has_ech);
  }
}

TEST_CASE("broken framing is refused as soon as it shows") {
  const std::string text = message("");
  CHECK(code_of(u8(22) + u16(0x0301) + u16(0)) == kBad);                 // empty record
  CHECK(code_of(u8(22) + u16(0x0301) + u16(16385)) == kBad);             // too long
  CHECK(code_of(records("\x02")) == kBad);                               // ServerHello
  CHECK(code_of(records(text + "x")) == kBad);                           // more in the record
  CHECK(code_of(records(text.substr(0, 10)) + "\x17\x03\x03") == kBad);  // other type between
  CHECK(code_of(records(u8(1) + u24(kMaxHelloBytes))) == kBad);          // announces too much
}

TEST_CASE("broken messages are refused") {
  CHECK(code_of(records(u8(1) + u24(0))) == kBad);
  CHECK(code_of(records(u8(1) + u24(3) + u16(0x0303) + "r")) == kBad);
  const std::string start = u16(0x0303) + std::string(32, 'r') + u8(0);
  const auto wrapped = [](const std::string& body) {
    return records(u8(1) + u24(body.size()) + body);
  };
  CHECK(code_of(wrapped(start + u16(0) + u8(1) + u8(0))) == kBad);          // no suites
  CHECK(code_of(wrapped(start + u16(3) + "abc" + u8(1) + u8(0))) == kBad);  // odd
  CHECK(code_of(wrapped(start + u16(2) + u16(0x1301) + u8(0))) == kBad);    // no compression
  CHECK(code_of(wrapped(start + u16(2) + u16(0x1301) + u8(1) + u8(0) + u16(9))) == kBad);
  CHECK(code_of(wrapped(start + u16(2) + u16(0x1301) + u8(1) + u8(0) + u16(0) + "x")) == kBad);
  const auto plain = peek_client_hello(wrapped(start + u16(2) + u16(0xc02b) + u8(1) + u8(0)));
  REQUIRE(plain);  // TLS 1.2 without extensions
  CHECK(plain->has_value());
}

TEST_CASE("a hello of more than 64 KiB on the wire is refused") {
  // 20 000 bytes of message in one-byte records are 120 000 on the wire.
  const std::string text = records(message(extension(21, std::string(20000, '\0'))), 1);
  CHECK(code_of(text) == kBad);
  CHECK(code_of(text.substr(0, kMaxHelloBytes)) == kBad);
  CHECK(code_of(text.substr(0, kMaxHelloBytes - 1)) == base::Code::kInternal);  // wants more
  const auto in_one = peek_client_hello(records(message(extension(21, std::string(20000, '\0')))));
  REQUIRE(in_one);
  CHECK(in_one->has_value());
}

}  // namespace
}  // namespace leash::tls
