// What one file of the policy directory says, whatever its kind.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/policy_files.h"
#include "policy/snapshot.h"

namespace leash::config {

enum class PolicyFileKind { kMode, kEnforce, kBlocklist, kHostList };

struct PolicyContent {
  bool is_usable = false;                           // false: broken as a whole
  std::optional<policy::Mode> mode;                 // kMode; a wrong word is enforce
  std::shared_ptr<const policy::EntryMap> entries;  // kEnforce, kBlocklist
  std::vector<std::string> lists;                   // kBlocklist
  std::shared_ptr<const policy::HostSet> hosts;     // kHostList
  std::vector<Finding> findings;
};

[[nodiscard]] PolicyContent read_policy_content(PolicyFileKind kind, const std::string& name,
                                                std::string_view text);

}  // namespace leash::config
