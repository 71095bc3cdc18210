// leash-console's settings: flag, environment, leash.yaml in the policy directory, default.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "config/settings.h"
#include "console/access.h"

namespace leash::console {

struct Settings {
  config::Settings leash;  // policy_dir, log, ca_dir, admin, body_limit_kb
  std::vector<base::SocketAddress> listen;
  std::string state_dir;
  std::vector<base::Host> hosts;
  Auth auth = Auth::kToken;
  bool uses_tls = false;
};

enum class Run { kServe, kExit };  // kExit: --help or --version has been printed
struct ParsedSettings {
  Settings settings;
  Run run = Run::kServe;
};

// Errors: bad_config naming flag, variable, or file and line; the main exits with 2.
[[nodiscard]] base::Result<ParsedSettings> parse_settings(
    int argc, const char* const* argv, const std::map<std::string, std::string>& env);

}  // namespace leash::console
