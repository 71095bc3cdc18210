// A gate stands at a named point of an exchange and passes, refuses or holds it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "audit/record.h"
#include "net/resolver.h"
#include "proxy/context.h"

namespace leash::proxy {

// Why an exchange does not go on, with all that the client and the log are told.
struct Refusal {
  audit::Event event = audit::Event::kBlocked;
  int status = 403;
  std::string reason;   // the audit word, "not_in_allowlist"
  std::string detail;   // more for the log and for error bodies; may be empty
  std::string address;  // the address that was refused; may be empty
  bool must_close = false;
};

class Gate {
 public:
  // nullopt passes.
  using Done = std::function<void(std::optional<Refusal>)>;
  virtual ~Gate() = default;

  // Answers inside the call and returns null, or holds: then `done` runs later, unless what it
  // returned is destroyed first. `context` outlives both.
  [[nodiscard]] virtual std::unique_ptr<net::Pending> check(Context& context, Done done) = 0;
};

}  // namespace leash::proxy
