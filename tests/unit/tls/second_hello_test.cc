#include "tls/second_hello.h"

#include <doctest/doctest.h>

#include <string>

#include "unit/tls/test_pki.h"

namespace leash::tls {
namespace {

std::string record(char type, const std::string& body) {
  return std::string{type, 3, 3, static_cast<char>(body.size() >> 8),
                     static_cast<char>(body.size() & 0xff)} +
         body;
}

// A client that offers X25519 and a server that takes P-256 alone: a real HelloRetryRequest.
struct Retry {
  explicit Retry(const char* second_name = "a.test") {
    SSL_CTX_set1_groups_list(client_context.get(), "X25519:P-256");
    RawPeer client(client_context.get(), RawPeer::Role::kClient);
    SSL_set_tlsext_host_name(client.ssl(), "a.test");
    first = client.step("");
    SSL_set_tlsext_host_name(client.ssl(), second_name);
    // ServerHello with the random bytes of a retry, P-256 in its key_share, TLS 1.3.
    static constexpr unsigned char kRandom[] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11,
                                                0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
                                                0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
                                                0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};
    const std::string session = first.substr(5 + 4 + 2 + 32, 33);  // its length and its 32 bytes
    const std::string extensions("\x00\x33\x00\x02\x00\x17\x00\x2b\x00\x02\x03\x04", 12);
    const std::string body = std::string("\x03\x03", 2) +
                             std::string(reinterpret_cast<const char*>(kRandom), 32) + session +
                             std::string("\x13\x01\x00\x00\x0c", 5) + extensions;
    message = std::string("\x02\x00", 2) + static_cast<char>(body.size() >> 8) +
              static_cast<char>(body.size() & 0xff) + body;
    retry = record(22, message);
    second = client.step(retry);
  }
  SslCtxPtr client_context = raw_client();
  std::string first, message, retry, second;
};

TEST_CASE("a second hello is told, and goes on once it is whole") {
  const Retry r("b.test");
  REQUIRE(r.second.size() > 100);
  for (const std::size_t step : {10'000U, 7U, 1U}) {
    CAPTURE(step);
    SecondHello second;
    std::string out;
    second.begin(r.first, r.first.size(), out);
    CHECK(out == r.first);
    for (std::size_t at = 0; at < r.retry.size(); at += step)
      second.on_server(r.retry.substr(at, step));
    CHECK_FALSE(second.is_over());
    out.clear();
    std::optional<ClientHello> hello;
    for (std::size_t at = 0; at < r.second.size(); at += step) {
      REQUIRE(second.on_client(r.second.substr(at, step), out));
      if (auto found = second.take()) hello = std::move(found);
    }
    REQUIRE(hello);
    CHECK(hello->sni == "b.test");
    CHECK(second.is_over());
    CHECK(out == r.second);
  }
}

TEST_CASE("a second hello that does not wait for the server is held back") {
  const Retry r;
  SecondHello second;
  std::string out;
  second.begin(r.first + r.second, r.first.size(), out);
  // The change_cipher_spec before it is nothing to hide.
  CHECK(out.size() < r.first.size() + 10);
  CHECK_FALSE(second.take());
  second.on_server(r.retry);
  REQUIRE(second.on_client("", out));
  CHECK(second.take());
  CHECK(out == r.first + r.second);
}

TEST_CASE("without a retry all goes on") {
  const Retry r;
  std::string plain = r.message;
  plain[10] = 'x';
  const std::string early = record(20, "\x01") + record(23, std::string(300, 'e'));
  for (const std::string& answer :
       {record(22, plain), record(21, "\x02\x28"), record(22, std::string("\x00\x00\x00\x00", 4)),
        std::string("HTTP/1.1")}) {
    SecondHello second;
    std::string out;
    second.begin(r.first + early, r.first.size(), out);
    CHECK(out == r.first + early);
    REQUIRE(second.on_client(record(22, "\x10key"), out));
    CHECK(out == r.first + early);
    for (const char c : answer) second.on_server({&c, 1});
    CHECK(second.is_over());
    REQUIRE(second.on_client("more", out));
    CHECK(out == r.first + early + record(22, "\x10key") + "more");
    CHECK_FALSE(second.take());
  }
}

TEST_CASE("what a retry is not followed by is an error") {
  const Retry r;
  for (const std::string& bytes : {record(22, "\x10key"), record(22, std::string(5, '\x01'))}) {
    SecondHello second;
    std::string out;
    second.begin(r.first, r.first.size(), out);
    second.on_server(r.retry);
    std::string more = bytes;
    for (int i = 0; i < 8; ++i) more += record(22, std::string(16'384, 'x'));
    const auto done = second.on_client(more, out);
    REQUIRE_FALSE(done);
    CHECK(done.error().code == base::Code::kBadClientHello);
    CHECK(out == r.first);
  }
}

TEST_CASE("no more than a hello is held back for a server that does not answer") {
  const Retry r;
  SecondHello second;
  std::string out;
  second.begin(r.first, r.first.size(), out);
  const std::string piece = record(22, std::string(16'384, 'x'));
  std::size_t sent = 0;
  auto done = second.on_client("", out);
  for (; done && sent < 1'000'000; sent += piece.size()) done = second.on_client(piece, out);
  REQUIRE_FALSE(done);
  CHECK(done.error().code == base::Code::kBadClientHello);
  CHECK(sent <= kMaxHelloBytes + piece.size());
  CHECK(out == r.first);
}

TEST_CASE("an answer in the smallest records is read as well") {
  const Retry r;
  SecondHello second;
  std::string out;
  second.begin(r.first, r.first.size(), out);
  for (const char c : r.message) second.on_server(record(22, "") + record(22, {c}));
  REQUIRE(second.on_client(r.second, out));
  CHECK(second.take());
}

}  // namespace
}  // namespace leash::tls
