// TCP to the first of several checked addresses that answers (Happy Eyeballs v2, RFC 8305 s. 5).
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/ip_address.h"
#include "net/loop.h"
#include "net/resolver.h"

namespace leash::net {

struct Dialled {
  base::Fd fd;
  base::SocketAddress address;  // the one that answered; getpeername agrees
};

// Tries the addresses in order, a new one every 250 ms or when one fails; the first to connect wins
// and the others are closed. Never looks a name up. Errors (fault origin): connect_failed (with the
// last system error and address), connect_timeout. `done` never runs inside the call.
[[nodiscard]] std::unique_ptr<Pending> dial(Loop& loop, std::vector<base::SocketAddress> addresses,
                                            std::chrono::milliseconds timeout,
                                            std::function<void(base::Result<Dialled>)> done);

}  // namespace leash::net
