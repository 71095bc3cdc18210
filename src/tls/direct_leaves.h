// Leaves from an issuer in the same process, at once: for tests. Proxy
// and console have a signer (src/signer).
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "tls/leaf_assembler.h"
#include "tls/leaf_cache.h"

namespace leash::tls {

class DirectIssuer {
 public:
  // Errors: those of open_issuer.
  static base::Result<std::unique_ptr<DirectIssuer>> open(const std::string& dir) {
    auto key = LeafKey::make();
    if (!key) return tl::unexpected(key.error());
    auto issuer = open_issuer(dir, key->point());
    if (!issuer) return tl::unexpected(issuer.error());
    auto assembler = LeafAssembler::make(*key, (*issuer)->certificate_pem());
    if (!assembler) return tl::unexpected(assembler.error());
    return std::make_unique<DirectIssuer>(std::move(*issuer), std::move(*assembler));
  }
  DirectIssuer(std::unique_ptr<Issuer> issuer, LeafAssembler assembler)
      : issuer_(std::move(issuer)), assembler_(std::move(assembler)) {}

  base::Result<std::shared_ptr<const Leaf>> issue(const base::Host& host) const {
    const auto leaf = issuer_->issue(host);
    if (!leaf) return tl::unexpected(leaf.error());
    return assembler_.assemble(host, *leaf);
  }
  [[nodiscard]] const std::string& certificate_pem() const { return issuer_->certificate_pem(); }
  [[nodiscard]] std::string fingerprint() const { return issuer_->fingerprint(); }
  [[nodiscard]] const std::string& certificate_path() const { return issuer_->certificate_path(); }

 private:
  std::unique_ptr<Issuer> issuer_;
  LeafAssembler assembler_;
};

class DirectLeaves final : public LeafSource {
 public:
  DirectLeaves(const DirectIssuer& issuer, std::size_t max_leaves)
      : issuer_(issuer), cache_(max_leaves) {}
  void leaf_for(const base::Host& host, Done done) override {
    if (auto leaf = cache_.find(host)) {
      done(std::move(leaf));
      return;
    }
    auto leaf = issuer_.issue(host);
    if (leaf) cache_.keep(host, *leaf);
    done(std::move(leaf));
  }

 private:
  const DirectIssuer& issuer_;
  LeafCache cache_;
};

}  // namespace leash::tls
