// The policy gate: host, port, method and path against the files as they are on disk now (point:
// target).
#pragma once

#include <optional>

#include "config/policy_files.h"
#include "net/loop.h"
#include "proxy/gate.h"

namespace leash::proxy {

class PolicyGate final : public Gate {
 public:
  PolicyGate(net::Loop& loop, config::PolicyFiles& files) : loop_(loop), files_(files) {}

  // Holds while a file is being rewritten in place: until it has settled, at most 200 ms, after
  // which only what both readings allow passes. Holds as well while a large file is being read, up
  // to 10 s: then 503 bad_policy.
  std::unique_ptr<net::Pending> check(Context& context, Done done) override;

  // While it lives, the first check looks at the files and the others go by what that saw. For
  // requests that have all been read from their sockets when it begins: none of them is decided by
  // files as they were before it came. One at a time, within one callback.
  class OneLook {
   public:
    explicit OneLook(PolicyGate& gate) : gate_(gate) {
      gate_.is_shared_ = true;
      gate_.seen_.reset();  // should another one live further up the stack, it looks anew as well
    }
    ~OneLook() {
      gate_.is_shared_ = false;
      gate_.seen_.reset();
    }
    OneLook(const OneLook&) = delete;
    OneLook& operator=(const OneLook&) = delete;

   private:
    PolicyGate& gate_;
  };

 private:
  [[nodiscard]] config::PolicyFiles::Current look();

  net::Loop& loop_;
  config::PolicyFiles& files_;
  bool is_shared_ = false;
  std::optional<config::PolicyFiles::Current> seen_;  // settled; where is_shared_
};

// What `snapshot` says about `context` at this moment.
[[nodiscard]] policy::Decision decide_now(const policy::Snapshot& snapshot, const Context& context);

}  // namespace leash::proxy
