// leash.yaml: the settings an operator keeps beside the policy.
#pragma once

#include <string>
#include <string_view>

#include "config/settings.h"

namespace leash::config {

// Puts what `text` says over `settings`. Errors: bad_config with "leash.yaml:LINE: ..." for broken
// YAML, an unknown or repeated key, a bad value.
[[nodiscard]] base::Result<void> apply_settings_text(std::string_view text, Settings& settings);
// The same for DIR/leash.yaml; that it is missing is no error.
[[nodiscard]] base::Result<void> apply_settings_file(const std::string& dir, Settings& settings);

// "head_kb", "64", ...: the keys under `limits` with their defaults, for --help.
struct LimitText {
  std::string_view key;
  std::string value;
};
[[nodiscard]] std::vector<LimitText> limit_defaults();

}  // namespace leash::config
