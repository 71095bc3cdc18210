#include "tls/verified_chains.h"

#include <doctest/doctest.h>

#include "unit/tls/test_pki.h"

namespace leash::tls {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

using StorePtr = std::unique_ptr<X509_STORE, FreeWith<X509_STORE_free>>;
using StoreCtxPtr = std::unique_ptr<X509_STORE_CTX, FreeWith<X509_STORE_CTX_free>>;
using StackPtr =
    std::unique_ptr<STACK_OF(X509), FreeWith<[](STACK_OF(X509) * s) { sk_X509_free(s); }>>;

// A certificate that was verified against `root`, with `sent` beside it.
struct Verified {
  Verified(const Identity& root, const Identity& origin, const std::vector<X509*>& sent = {})
      : store(X509_STORE_new()), beside(sk_X509_new_null()), context(X509_STORE_CTX_new()) {
    for (X509* one : sent) sk_X509_push(beside.get(), one);
    X509_STORE_add_cert(store.get(), root.certificate.get());
    X509_STORE_CTX_init(context.get(), store.get(), origin.certificate.get(), beside.get());
    REQUIRE(X509_verify_cert(context.get()) == 1);
  }
  [[nodiscard]] VerifiedChains::Id id() const {
    const auto id = VerifiedChains::id_of(context.get());
    REQUIRE(id);
    return *id;
  }

  StorePtr store;
  StackPtr beside;
  StoreCtxPtr context;
};

TEST_CASE("a chain is known for an hour, from when it was verified") {
  const Identity root = make_root("root");
  const Identity origin = make_identity({"a.test", "DNS:a.test"}, &root);
  const Verified verified(root, origin);
  const auto now = std::chrono::system_clock::now();
  VerifiedChains chains(10);
  CHECK_FALSE(chains.has(verified.id(), now));
  chains.put(verified.id(), verified.context.get(), now);
  CHECK(chains.has(verified.id(), now));
  CHECK(chains.has(verified.id(), now + minutes(59)));
  CHECK_FALSE(chains.has(verified.id(), now + minutes(60)));
  CHECK_FALSE(chains.has(verified.id(), now - minutes(1)));
}

TEST_CASE("a chain is known no longer than any of its certificates is good") {
  const Identity root = make_root("root");
  CertSpec middle_spec{"middle", {}, {}, "critical,CA:TRUE"};
  middle_spec.ends = hours(48);
  const Identity middle = make_identity(middle_spec, &root);
  const Identity origin = make_identity({"a.test", "DNS:a.test"}, &middle);
  const Verified verified(root, origin, {middle.certificate.get()});
  const auto now = std::chrono::system_clock::now();
  VerifiedChains chains(10);
  chains.put(verified.id(), verified.context.get(), now + hours(24) - minutes(10));
  CHECK(chains.has(verified.id(), now + hours(24) - minutes(5)));
  CHECK_FALSE(chains.has(verified.id(), now + hours(24) + minutes(1)));
  chains.put(verified.id(), verified.context.get(), now + hours(25));
  CHECK_FALSE(chains.has(verified.id(), now + hours(25)));
}

TEST_CASE("another chain of the same certificate is another chain") {
  const Identity root = make_root("root");
  const Identity origin = make_identity({"a.test", "DNS:a.test"}, &root);
  const Identity other = make_identity({"a.test", "DNS:a.test"}, &root);
  CHECK(Verified(root, origin).id() == Verified(root, origin).id());
  CHECK(Verified(root, origin).id() != Verified(root, other).id());
  CHECK(Verified(root, origin).id() != Verified(root, origin, {root.certificate.get()}).id());
}

TEST_CASE("no more chains are known than the limit, the newest") {
  const Identity root = make_root("root");
  const Identity origin = make_identity({"a.test", "DNS:a.test"}, &root);
  const Verified verified(root, origin);
  const auto now = std::chrono::system_clock::now();
  const auto id = [](int n) { return VerifiedChains::Id{static_cast<std::uint8_t>(n)}; };
  VerifiedChains chains(2);
  for (const int n : {1, 2, 1, 3}) chains.put(id(n), verified.context.get(), now);
  CHECK(chains.size() == 2);
  CHECK(chains.has(id(1), now));
  CHECK_FALSE(chains.has(id(2), now));
  CHECK(chains.has(id(3), now));
}

}  // namespace
}  // namespace leash::tls
