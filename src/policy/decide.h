// The decision: a pure function of the policy and of what is known about a request.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/authority.h"
#include "policy/snapshot.h"

namespace leash::policy {

struct Facts {
  const base::Host& host;
  std::uint16_t port = 0;
  // Both empty at CONNECT: path rules are skipped there and decided for each request inside.
  std::string_view method;
  std::string_view path;  // raw, query included
};

struct Decision {
  bool is_allowed = false;
  // Why not: "not_in_allowlist", "path_not_allowed", "in_blocklist", "ambiguous_path" (a path with
  // dot segments in any decoding where path rules apply). Empty where allowed.
  std::string_view reason;
  // audit and blocklist modes: allowed, but enforce would have blocked it. Never at CONNECT.
  bool would_block = false;
  TlsMode tls = TlsMode::kIntercept;
  // The entry that decided, "enforce.yaml:12 api.example.net"; "" where none did.
  std::string rule;
  std::string note;  // its `reason`
  std::vector<base::Network>
      networks;                // networks that the matching enforce entries open for this host
  bool names_address = false;  // a matching enforce entry's host is this very IP literal
};

[[nodiscard]] Decision decide(const Snapshot& snapshot, const Facts& facts,
                              std::chrono::system_clock::time_point now);

// Dot segments in any decoding (%2e, %2E, double-encoded), back-slashes, encoded slashes beside
// dots: a server may read another path than we do.
[[nodiscard]] bool is_ambiguous_path(std::string_view path);

}  // namespace leash::policy
