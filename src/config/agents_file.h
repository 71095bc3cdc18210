// agents.yaml: the networks that agents live in, whom the console refuses.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ip_address.h"
#include "config/guarded_file.h"
#include "config/policy_files.h"

namespace leash::config {

struct AgentNetworks {
  std::vector<base::Network> networks;
  // Something in the file is wrong, so it cannot be told who is an agent: nobody is an operator. A
  // missing file, or one without networks, is not wrong: then everybody is one (a warning).
  bool is_closed = false;
  std::vector<Finding> findings;
  std::optional<FileStamp> stamp;  // of the file that was read
  bool is_torn = false;            // it changed while it was read
};

// Never fails. At most 1 MiB of a regular file is read.
[[nodiscard]] AgentNetworks read_agent_networks(const std::string& dir);

}  // namespace leash::config
