// All that is known about one request (or one CONNECT) while it is decided, carried out and
// recorded.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/authority.h"
#include "http/message.h"
#include "policy/decide.h"
#include "policy/snapshot.h"
#include "proxy/client_memory.h"

namespace leash::proxy {

// A tunnel that was allowed. Owned by the session; outlives the exchanges inside.
struct Tunnel {
  std::string id;
  base::Authority target;  // CONNECT's
  std::string sni;         // as the client wrote it; "" before or without TLS
  std::string names;       // "mismatch: ..." where audit mode let differing names pass
  policy::Decision decision;
  std::uint64_t generation = 0;  // of the policy that allowed it
  std::chrono::steady_clock::time_point start;
  std::uint64_t requests = 0;
  std::uint64_t bytes_up = 0;
  std::uint64_t bytes_down = 0;
};

struct Context {
  std::string id;
  std::string client;  // peer address
  std::string agent;   // who is held to account: today the client's address
  std::shared_ptr<ClientMemory> memory;
  Tunnel* tunnel = nullptr;  // its counters grow with the exchange
  bool is_connect = false;
  std::string scheme;         // "http" or "https"
  base::Authority authority;  // the canonical one: decided on, dialled, verified, logged
  http::RequestHead head;
  std::chrono::steady_clock::time_point start;

  std::string logged_url;  // url() without its secrets; "": not made yet

  // What the gates find.
  std::string names;
  std::shared_ptr<const policy::Snapshot> snapshot;
  policy::Decision decision;
  std::vector<base::SocketAddress> addresses;  // checked; what may be dialled

  // scheme://host[:port]path as the original writes it: host and port of the Host field where there
  // is one.
  [[nodiscard]] std::string url() const;
};

}  // namespace leash::proxy
