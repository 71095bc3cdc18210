// Which clients are agents, by an agents.yaml that somebody may be writing just now.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "config/agents_file.h"
#include "config/guarded_file.h"

namespace leash::console {

// An editor or script that writes the file in place makes it empty and then long again: for a
// moment it says that nobody is an agent, or fewer are. So what the file adds counts at once, and
// what it takes away when it has not changed for a while; a file that has not been seen so yet
// opens the gate to nobody. The loop's thread only.
class AgentGate {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds kQuiet{100};

  explicit AgentGate(std::string policy_dir);

  // Looks whether the file has changed. The networks are those in force; the findings are the
  // file's.
  const config::AgentNetworks& look(Time now);
  [[nodiscard]] const config::AgentNetworks& in_force() const { return in_force_; }
  // Whether what is in force is what the file says.
  [[nodiscard]] bool is_settled() const { return is_settled_; }

 private:
  void add(config::AgentNetworks reading);

  const std::string dir_;
  const std::string path_;
  config::AgentNetworks in_force_;
  bool was_closed_ = true;  // when it was settled last
  bool is_settled_ = false;
  std::optional<config::StampResult> stamp_;  // that the file has had since `since_`
  Time since_;
};

}  // namespace leash::console
