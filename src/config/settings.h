// leash's settings: flag, environment, leash.yaml in the policy directory, default, in this order.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/ip_address.h"

namespace leash::config {

struct Limits {  // each is a key of leash.yaml under `limits`, with the name written here
  std::size_t head_kb = 64;
  std::size_t head_fields = 128;
  std::chrono::milliseconds head_time{10'000};
  std::chrono::milliseconds client_handshake_time{10'000};
  std::chrono::milliseconds connect_time{10'000};
  std::chrono::milliseconds origin_handshake_time{10'000};
  std::chrono::milliseconds exchange_idle_time{900'000};
  std::chrono::milliseconds client_idle_time{300'000};
  std::chrono::milliseconds origin_idle_time{60'000};
  std::chrono::milliseconds drain_time{30'000};
  std::size_t connections = 16'384;
  std::size_t connections_per_client = 2'048;
  std::size_t buffer_kb = 256;  // per direction of an exchange
  std::size_t capture_mb = 64;  // all captured bodies together
  std::size_t h2_streams = 128;
  std::size_t h2_resets_per_second = 200;
  std::size_t leaves = 4'096;
};

enum class Durability { kWrite, kSync, kAsync };

struct Settings {
  std::vector<base::SocketAddress> listen;  // never empty
  std::string admin;                        // "127.0.0.1:8081", "unix:/path", "off"
  std::string policy_dir;
  std::string log;
  std::string ca_dir;
  std::string origin_ca;  // "" for none
  std::vector<base::Network> origin_networks;
  std::size_t body_limit_kb = 1024;
  std::size_t workers = 1;
  std::string identity_host;
  bool keeps_secrets = false;                  // LEASH_LOG_SECRETS=keep
  Durability durability = Durability::kWrite;  // LEASH_AUDIT
  Limits limits;
};

enum class Run { kServe, kCheck, kExit };  // kExit: --help or --version has been printed
struct ParsedSettings {
  Settings settings;
  Run run = Run::kServe;
};

// Reads argv (CLI11), `env` (a copy of the environment) and leash.yaml. Errors: bad_config naming
// flag, variable, or file and line; the main exits with 2.
[[nodiscard]] base::Result<ParsedSettings> parse_settings(
    int argc, const char* const* argv, const std::map<std::string, std::string>& env);

// What --help prints: each setting with its flag, environment variable, key in leash.yaml and
// default.
[[nodiscard]] std::string settings_help();

}  // namespace leash::config
