// The address gate: the name is resolved once, and only checked addresses go on (point: addresses).
#pragma once

#include "net/resolver.h"
#include "policy/address_guard.h"
#include "proxy/gate.h"

namespace leash::proxy {

class AddressGate final : public Gate {
 public:
  AddressGate(net::Resolver& resolver, const policy::AddressGuard& guard,
              std::chrono::milliseconds timeout)
      : resolver_(resolver), guard_(guard), timeout_(timeout) {}

  // One refused address among the answers refuses the whole name: an attacker's mixed answer is no
  // accident.
  std::unique_ptr<net::Pending> check(Context& context, Done done) override;

 private:
  net::Resolver& resolver_;
  const policy::AddressGuard& guard_;
  std::chrono::milliseconds timeout_;
};

}  // namespace leash::proxy
