// What all workers share: built by the main before the first worker, outlives the last. Everything
// in it is thread-safe or constant.
#pragma once

#include <string>

#include "audit/log_writer.h"
#include "audit/record.h"
#include "config/policy_files.h"
#include "config/settings.h"
#include "policy/address_guard.h"
#include "proxy/client_counts.h"
#include "proxy/metrics.h"
#include "proxy/origin_pool.h"
#include "proxy/proxy_names.h"

namespace leash::proxy {

struct Shared {
  const config::Settings& settings;
  config::PolicyFiles& policy;
  audit::LogWriter& log;
  const audit::Redactor& redactor;
  const policy::AddressGuard& guard;
  ClientCounts& clients;
  Metrics& metrics;
  const ProxyNames& names;
  OriginPool::Caps origin_caps;  // of each worker
  std::string run_id;            // random, per process: ids of different runs never meet
};

}  // namespace leash::proxy
