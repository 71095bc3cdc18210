#include "proxy/gates/address.h"

#include "proxy/error_page.h"

namespace leash::proxy {
namespace {

std::optional<Refusal> judge(const policy::AddressGuard& guard, Context& context,
                             const std::vector<base::IpAddress>& found) {
  context.addresses.clear();
  for (const base::IpAddress& ip : found) {
    const base::SocketAddress address{ip, context.authority.port};
    const std::string_view refused = guard.refusal(address, context.decision);
    if (!refused.empty()) {
      context.addresses.clear();
      return Refusal{.reason = "address_not_allowed",
                     .detail = std::string(refused),
                     .address = address.text()};
    }
    context.addresses.push_back(address);
  }
  return std::nullopt;
}

}  // namespace

std::unique_ptr<net::Pending> AddressGate::check(Context& context, Done done) {
  if (context.authority.host.is_ip()) {
    done(judge(guard_, context, {*context.authority.host.ip()}));
    return nullptr;
  }
  return resolver_.resolve(context.authority.host, context.agent, timeout_,
                           [this, &context, done = std::move(done)](auto found) {
                             if (!found) {
                               done(refusal_for(found.error()));
                             } else {
                               done(judge(guard_, context, *found));
                             }
                           });
}

}  // namespace leash::proxy
