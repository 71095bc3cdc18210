// Both legs over one CA of a test, and leaf sources with a will of their own.
#pragma once

#include <doctest/doctest.h>

#include <deque>
#include <memory>
#include <string>

#include "tls/authority_store.h"
#include "tls/direct_leaves.h"
#include "unit/tls/temp_dir.h"
#include "unit/tls/test_pki.h"

namespace leash::tls {

// Answers when told to.
class SlowLeaves final : public LeafSource {
 public:
  explicit SlowLeaves(DirectIssuer& issuer) : issuer_(issuer) {}
  void leaf_for(const base::Host& host, Done done) override { waiting_.push_back({host, done}); }

  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
  void answer() {
    const auto [host, done] = take();
    done(issuer_.issue(host));
  }
  void fail() { take().second(base::fail(base::Code::kIo, base::Fault::kProxy, "no signer")); }

 private:
  std::pair<base::Host, Done> take() {
    REQUIRE_FALSE(waiting_.empty());
    auto first = std::move(waiting_.front());
    waiting_.pop_front();
    return first;
  }

  DirectIssuer& issuer_;
  std::deque<std::pair<base::Host, Done>> waiting_;
};

// A client context that trusts leash's own CA, and server contexts under it.
struct Legs {
  Legs() {
    auto opened = DirectIssuer::open(dir.path());
    REQUIRE(opened);
    issuer = std::move(*opened);
    leaves = std::make_unique<DirectLeaves>(*issuer, 100);
    auto made = make_server_context(*leaves);
    REQUIRE(made);
    server = std::move(*made);
    auto other = make_client_context(issuer->certificate_path());
    REQUIRE(other);
    client = std::move(*other);
  }

  std::unique_ptr<Engine> accept(const std::string& name, const std::string& scope = "agent/1",
                                 bool offer_h2 = true) {
    ServerContext::Options options;
    options.authority = authority(name);
    options.ticket_scope = scope;
    options.offer_h2 = offer_h2;
    return server->accept(std::move(options));
  }
  std::unique_ptr<Engine> connect(const std::string& name, const std::string& scope = "agent",
                                  bool offer_h2 = true) {
    return client->connect({authority(name), scope, offer_h2});
  }

  TempDir dir;
  std::unique_ptr<DirectIssuer> issuer;
  std::unique_ptr<LeafSource> leaves;
  std::unique_ptr<ServerContext> server;
  std::unique_ptr<ClientContext> client;
};

}  // namespace leash::tls
