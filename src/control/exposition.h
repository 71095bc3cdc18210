// What the admin endpoint shows of the proxy.
#pragma once

#include <string>
#include <vector>

#include "control/admin_server.h"
#include "control/confinement.h"
#include "proxy/server.h"

namespace leash::control {

[[nodiscard]] std::vector<MetricFamily> metric_families(proxy::Server& server,
                                                        const Confinement& confinement);

// Why the proxy should get no traffic: the log cannot be written, or it is stopping.
enum class Phase { kServing, kStopping };
[[nodiscard]] std::vector<std::string> not_ready_reasons(const proxy::Server& server, Phase phase);

}  // namespace leash::control
