// The policy gate: host, port, method and path against the files as they are on disk now (point:
// target).
#pragma once

#include "config/policy_files.h"
#include "net/loop.h"
#include "proxy/gate.h"

namespace leash::proxy {

class PolicyGate final : public Gate {
 public:
  PolicyGate(net::Loop& loop, config::PolicyFiles& files) : loop_(loop), files_(files) {}

  // Holds while a file is being rewritten in place: until it has settled, at most 200 ms, after
  // which only what both readings allow passes.
  std::unique_ptr<net::Pending> check(Context& context, Done done) override;

 private:
  net::Loop& loop_;
  config::PolicyFiles& files_;
};

// What `snapshot` says about `context` at this moment.
[[nodiscard]] policy::Decision decide_now(const policy::Snapshot& snapshot, const Context& context);

}  // namespace leash::proxy
