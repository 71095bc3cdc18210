#include "console/agent_gate.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace leash::console {

AgentGate::AgentGate(std::string policy_dir)
    : dir_(std::move(policy_dir)), path_(dir_ + "/agents.yaml") {
  in_force_.is_closed = true;
}

const config::AgentNetworks& AgentGate::look(Time now) {
  const config::StampResult stamp = config::stamp_of(path_);
  if (is_settled_ && stamp_ == stamp) return in_force_;
  config::AgentNetworks reading = config::read_agent_networks(dir_);
  // What cannot be read at all has no stamp.
  const bool is_same = reading.stamp == stamp.stamp || (reading.is_closed && !reading.stamp);
  const bool is_whole = is_same && !reading.is_torn && config::stamp_of(path_) == stamp;
  if (!is_whole || stamp_ != stamp) since_ = now;
  stamp_ = stamp;
  is_settled_ = now - since_ >= kQuiet;
  if (is_settled_) {
    was_closed_ = reading.is_closed;
    in_force_ = std::move(reading);
  } else {
    add(std::move(reading));
  }
  return in_force_;
}

// What earlier readings have added since stays in too: a file may be written twice in a row.
void AgentGate::add(config::AgentNetworks reading) {
  const auto key = [](const base::Network& network) {
    return std::tie(network.address, network.prefix);
  };
  auto& networks = in_force_.networks;
  networks.insert(networks.end(), reading.networks.begin(), reading.networks.end());
  std::sort(networks.begin(), networks.end(),
            [&key](const auto& a, const auto& b) { return key(a) < key(b); });
  networks.erase(std::unique(networks.begin(), networks.end(),
                             [&key](const auto& a, const auto& b) { return key(a) == key(b); }),
                 networks.end());
  in_force_.is_closed = was_closed_ || reading.is_closed;
  in_force_.findings = std::move(reading.findings);
}

}  // namespace leash::console
