// The header lines of a message as the log has them.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/record.h"

namespace leash::audit {

using HeaderLines = std::vector<std::pair<std::string_view, std::string_view>>;

// `[["Name", "value"], ...]`, folded as the original does: one pair per distinct name, first
// spelling and place, values joined with ", ". What is secret is redacted.
[[nodiscard]] std::string header_json(const HeaderLines& lines, const Redactor& redactor);

}  // namespace leash::audit
