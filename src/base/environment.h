// The variables that this process was started with.
#pragma once

#include <map>
#include <string>

namespace leash::base {

using Environment = std::map<std::string, std::string>;

// A copy. Entries without '=' are left out; of a name that is there twice the first counts.
[[nodiscard]] Environment environment();

}  // namespace leash::base
