// Who may ask the console for what.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "console/agent_gate.h"
#include "console/http_message.h"
#include "console/sessions.h"
#include "console/sign_in_limits.h"
#include "tls/digest.h"

namespace leash::console {

enum class Auth { kToken, kOff };

// Somebody who has been let in.
struct Caller {
  Role role = Role::kViewer;
  std::string csrf;  // "" for a script with a token
  std::string who;   // "operator from 10.0.0.5", for the history of changes
};

// What a route asks of its caller.
struct Need {
  static constexpr std::size_t kMostBodyBytes = std::size_t{64} * 1024;
  Role role = Role::kViewer;
  bool is_change = false;
  std::size_t most_body_bytes = kMostBodyBytes;
};

// The loop's thread only.
class Access {
 public:
  struct Options {
    Auth auth = Auth::kToken;
    std::string policy_dir;         // of agents.yaml
    std::vector<base::Host> hosts;  // names besides localhost and IP literals
    std::string operator_token;
    std::string viewer_token;
  };
  explicit Access(Options options);

  // Before the first request: waits until agents.yaml is seen not to change, for a second at most.
  // Until then everybody is refused.
  void await_agents();
  // Each second, so that a change is known to be over when the next request comes.
  void look_at_agents() { gate_.look(std::chrono::steady_clock::now()); }

  // The gates that stand before everything, the sign-in page too: the name that the console was
  // called by (421), and whether the client is an agent (403). nullopt: it may go on.
  [[nodiscard]] std::optional<Reply> refuse_stranger(const Request& request);
  // Whether an address may still be served; for answers that last.
  [[nodiscard]] bool is_welcome(const base::IpAddress& peer);

  // Who asks; nullopt where nobody has signed in. A wrong bearer token counts as a wrong try.
  [[nodiscard]] std::optional<Caller> caller_of(const Request& request);
  // Fails with the answer to give: 401, 403, 415, 429.
  [[nodiscard]] tl::expected<Caller, Reply> admit(const Request& request, const Need& need);

  // POST, GET and DELETE of /api/session.
  [[nodiscard]] Reply sign_in(const Request& request);
  [[nodiscard]] Reply session(const Request& request);
  [[nodiscard]] Reply sign_out(const Request& request);

  [[nodiscard]] Auth auth() const { return options_.auth; }
  // Whether `host` is a name, without port, that this console may be called by.
  [[nodiscard]] bool is_own_name(const base::Host& host) const;

 private:
  [[nodiscard]] bool is_own_host_value(std::string_view value) const;
  [[nodiscard]] std::optional<Role> role_of(std::string_view token) const;
  [[nodiscard]] std::optional<Reply> locked(const Request& request) const;
  [[nodiscard]] std::optional<Reply> refuse_change(const Request& request,
                                                   const Caller& caller) const;

  Options options_;
  tls::Digest operator_digest_;
  tls::Digest viewer_digest_;
  std::string open_csrf_;  // where nobody signs in
  Sessions sessions_;
  SignInLimits limits_;
  AgentGate gate_;
};

}  // namespace leash::console
