// How a raw request path is held against path rules.
#pragma once

#include <string_view>

#include "policy/snapshot.h"

namespace leash::policy {

// By raw prefix: what an allow entry needs. The method is compared without regard to case.
[[nodiscard]] bool matches(const PathRule& rule, std::string_view method, std::string_view path);

// What a block entry needs: also true where a server that decodes escapes or merges slashes would
// read a path under the prefix, so that "/%61dmin" does not slip past "/admin".
[[nodiscard]] bool matches_as_read(const PathRule& rule, std::string_view method,
                                   std::string_view path);

}  // namespace leash::policy
