// What a worker lends to its sessions and exchanges. One thread.
#pragma once

#include <string>

#include "net/loop.h"
#include "net/resolver.h"
#include "proxy/gates/address.h"
#include "proxy/gates/intent.h"
#include "proxy/gates/names.h"
#include "proxy/gates/policy.h"
#include "proxy/origin_pool.h"
#include "proxy/shared.h"
#include "tls/engine.h"

namespace leash::proxy {

struct Services {
  net::Loop& loop;
  Shared& shared;
  OriginPool& pool;
  tls::ServerContext& client_tls;
  // The gates, in the order in which an exchange meets them.
  PolicyGate policy;
  NamesGate names;
  AddressGate addresses;
  IntentGate intent;
  std::string id_prefix;  // run and worker
  std::uint64_t id_count = 0;
  bool is_draining = false;

  [[nodiscard]] std::string next_id() { return id_prefix + std::to_string(++id_count); }
};

}  // namespace leash::proxy
