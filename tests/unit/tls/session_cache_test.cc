#include "tls/session_cache.h"

#include <doctest/doctest.h>

#include "tls/ticket_keys.h"
#include "unit/tls/test_pki.h"

namespace leash::tls {
namespace {

using std::chrono::hours;

// A session as it is after a handshake with `origin`.
SessionPtr session_with(const Identity& origin, int version) {
  const SslCtxPtr server = raw_server(origin);
  const SslCtxPtr client = raw_client();
  SSL_CTX_set_max_proto_version(client.get(), version);
  SSL_CTX_set_session_cache_mode(client.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  RawPeer at_server(server.get(), RawPeer::Role::kServer);
  RawPeer at_client(client.get(), RawPeer::Role::kClient);
  std::string to_server = at_client.step("");
  for (int i = 0; i < 3; ++i) to_server = at_client.step(at_server.step(to_server));
  REQUIRE(at_client.is_done());
  SSL_shutdown(at_client.ssl());
  return SessionPtr(SSL_get1_session(at_client.ssl()));
}

TEST_CASE("a session comes back once for TLS 1.3 and again for TLS 1.2") {
  const Identity origin = make_identity({"a.test", "DNS:a.test"});
  SessionCache cache(10);
  cache.put("new", session_with(origin, TLS1_3_VERSION).get());
  cache.put("old", session_with(origin, TLS1_2_VERSION).get());
  const auto now = std::chrono::system_clock::now();  // no session is from a later second
  CHECK(cache.take("other", now) == nullptr);
  const SessionPtr taken = cache.take("new", now);
  REQUIRE(taken);
  CHECK(X509_cmp(SSL_SESSION_get0_peer(taken.get()), origin.certificate.get()) == 0);
  CHECK(cache.take("new", now) == nullptr);
  CHECK(cache.take("old", now) != nullptr);
  CHECK(cache.take("old", now) != nullptr);
}

TEST_CASE("a session ends with its time and with the origin's certificate") {
  CertSpec spec{"a.test", "DNS:a.test"};
  spec.ends = hours(1);
  const Identity origin = make_identity(spec);
  const auto now = std::chrono::system_clock::now();
  const SessionPtr session = session_with(origin, TLS1_2_VERSION);
  SSL_SESSION_set_timeout(session.get(), 3 * 3600);
  SessionCache cache(10);
  cache.put("a", session.get());
  CHECK(cache.take("a", now + std::chrono::minutes(50)) != nullptr);
  CHECK(cache.take("a", now + hours(2)) == nullptr);
  CHECK(cache.size() == 0);
  SSL_SESSION_set_timeout(session.get(), 60);
  cache.put("a", session.get());
  CHECK(cache.take("a", now + std::chrono::minutes(5)) == nullptr);
}

TEST_CASE("the cache holds no more than its limit, the newest") {
  const Identity origin = make_identity({"a.test", "DNS:a.test"});
  const SessionPtr session = session_with(origin, TLS1_2_VERSION);
  const auto now = std::chrono::system_clock::now();
  SessionCache cache(3);
  for (const char* key : {"a", "b", "c"}) cache.put(key, session.get());
  CHECK(cache.take("a", now) != nullptr);
  cache.put("d", session.get());
  cache.put("d", session.get());
  CHECK(cache.size() == 3);
  CHECK(cache.take("b", now) == nullptr);
  CHECK(cache.take("a", now) != nullptr);
}

TEST_CASE("ticket keys rotate, and the one before still opens") {
  TicketKeys keys;
  TicketKeys::Time now{};
  const TicketKey first = keys.current(now);
  CHECK(keys.current(now + TicketKeys::kPeriod / 2).name == first.name);
  now += TicketKeys::kPeriod;
  const TicketKey second = keys.current(now);
  CHECK(second.name != first.name);
  CHECK(second.cipher != first.cipher);
  CHECK(second.mac != first.mac);
  REQUIRE(keys.find(first.name.data(), now));
  CHECK(keys.find(first.name.data(), now)->cipher == first.cipher);
  now += TicketKeys::kPeriod;
  CHECK_FALSE(keys.find(first.name.data(), now));
  CHECK(keys.find(second.name.data(), now));
}

TEST_CASE("after a long silence no old ticket key is left") {
  TicketKeys keys;
  const TicketKeys::Time now{};
  const TicketKey first = keys.current(now);
  CHECK_FALSE(keys.find(first.name.data(), now + 2 * TicketKeys::kPeriod));
}

}  // namespace
}  // namespace leash::tls
