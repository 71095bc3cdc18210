// A minted certificate with its key. Only .cc files in this folder include it.
#pragma once

#include <chrono>

#include "tls/engine.h"
#include "tls/openssl.h"

namespace leash::tls {

class Leaf {
 public:
  using Time = std::chrono::system_clock::time_point;

  Leaf(CertPtr certificate, KeyPtr key, Time not_before, Time renew_at)
      : certificate_(std::move(certificate)),
        key_(std::move(key)),
        not_before_(not_before),
        renew_at_(renew_at) {}

  // OpenSSL takes them without const where it only counts references.
  [[nodiscard]] X509* certificate() const { return certificate_.get(); }
  [[nodiscard]] EVP_PKEY* key() const { return key_.get(); }
  // Neither near its end nor, after the clock was set back, before its begin.
  [[nodiscard]] bool is_fresh(Time now) const { return not_before_ <= now && now < renew_at_; }

 private:
  CertPtr certificate_;
  KeyPtr key_;
  Time not_before_;
  Time renew_at_;
};

}  // namespace leash::tls
