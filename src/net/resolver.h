// Names to addresses with c-ares: /etc/hosts and resolv.conf, bounded, cached by TTL.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/authority.h"
#include "base/error.h"
#include "net/loop.h"

namespace leash::net {

// A running look-up or dial: destroying it cancels it, and its callback is not called any more.
class Pending {
 public:
  virtual ~Pending() = default;
};

class Resolver {
 public:
  // At most kMaxAddresses, AAAA and A interleaved as RFC 8305 s. 4 wants them.
  // Errors (fault origin): resolve_failed, resolve_timeout; kNoMemoryLeft (fault proxy) when too
  // many run at once, in all or for this owner; the detail says which.
  using Done = std::function<void(base::Result<std::vector<base::IpAddress>>)>;
  static constexpr std::size_t kMaxAddresses = 32;

  virtual ~Resolver() = default;
  // IP literals answer with themselves. `done` never runs inside the call. The result may be
  // ignored only by those who outlive the loop. `owner` is who is held to account for the query
  // that this may start.
  [[nodiscard]] virtual std::unique_ptr<Pending> resolve(const base::Host& host,
                                                         const std::string& owner,
                                                         std::chrono::milliseconds timeout,
                                                         Done done) = 0;
};

struct ResolverOptions {
  std::size_t max_running = 512;    // queries under way on this loop
  std::size_t max_per_owner = 64;   // of these, those that one owner started
  std::size_t max_cached = 4096;    // names
  std::chrono::seconds min_ttl{1};  // also for entries of the hosts file
  std::chrono::seconds max_ttl{300};
  std::chrono::seconds negative_ttl{2};      // NXDOMAIN and NODATA; other failures are not kept
  std::chrono::milliseconds try_time{2000};  // for the first answer; doubled at each further try
  std::string servers;  // "127.0.0.1:5353,..." instead of resolv.conf's; for tests
  std::string resolv_conf = "/etc/resolv.conf";
};
// Look-ups for the same name under way share one query, which a cancelled waiter does not end: it
// counts against the owner who started it until it has ended. One resolver a worker. The hosts file
// comes first (/etc/hosts, or what CARES_HOSTS in the environment names). A change of it or of
// resolv.conf counts from the next look-up on. Names are absolute: no search domain is ever
// appended, since policy decided on the name as it is. localhost is loopback (RFC 6761). Destroying
// the resolver cancels all. Errors: io.
[[nodiscard]] base::Result<std::unique_ptr<Resolver>> make_resolver(Loop& loop,
                                                                    const ResolverOptions& options);

}  // namespace leash::net
