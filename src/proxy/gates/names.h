// The names gate: CONNECT target, SNI and Host must be one (point: target).
#pragma once

#include "proxy/gate.h"

namespace leash::proxy {

class NamesGate final : public Gate {
 public:
  // Disagreement is 421 name_mismatch in enforce and blocklist; audit mode lets it pass and tags
  // it. Needs context.snapshot, so it stands after the policy gate.
  std::unique_ptr<net::Pending> check(Context& context, Done done) override;
};

}  // namespace leash::proxy
