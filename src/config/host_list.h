// Plain host lists, as the blocklist names them under `lists`.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/policy_files.h"
#include "policy/host_set.h"

namespace leash::config {

struct HostList {
  std::shared_ptr<const policy::HostSet> hosts;  // null: the text as a whole is no list
  std::vector<Finding> findings;
};

// One host a line, or a hosts file ("0.0.0.0 host [host ...]"); "#" begins a comment. A word that
// is no host is a finding, and the others count. `name` is the file's path as the policy writes it.
[[nodiscard]] HostList read_host_list(std::string_view text, const std::string& name);

}  // namespace leash::config
