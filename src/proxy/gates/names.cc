#include "proxy/gates/names.h"

namespace leash::proxy {
namespace {

// "" where all names that were given agree.
std::string disagreement(const Context& context) {
  if (context.is_connect || !context.head.host) return {};
  const base::Authority& host = *context.head.host;
  const std::uint16_t default_port = context.scheme == "https" ? 443 : 80;
  const std::uint16_t port = host.port != 0 ? host.port : default_port;
  if (host.host != context.authority.host || (host.port != 0 && port != context.authority.port)) {
    return "host " + host.host.bracketed() + ":" + std::to_string(port);
  }
  return {};
}

}  // namespace

std::unique_ptr<net::Pending> NamesGate::check(Context& context, Done done) {
  const std::string found = disagreement(context);
  if (!found.empty()) {
    context.names = "mismatch: " + found;
  } else if (context.tunnel != nullptr) {
    context.names = context.tunnel->names;
  }
  if (found.empty() || context.snapshot->mode == policy::Mode::kAudit) {
    done(std::nullopt);
    return nullptr;
  }
  done(Refusal{.status = 421, .reason = "name_mismatch", .detail = found, .must_close = true});
  return nullptr;
}

}  // namespace leash::proxy
