// leash's settings: flag, environment, leash.yaml in the policy directory, default, in this order.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/authority.h"
#include "base/endpoint.h"
#include "base/error.h"
#include "base/ip_address.h"
#include "base/syslog_target.h"

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
  std::chrono::milliseconds origin_age{600'000};  // of a connection that takes new requests
  std::chrono::milliseconds drain_time{30'000};
  std::chrono::milliseconds upgrade_time{600'000};  // the same, where a successor serves already
  std::size_t connections = 16'384;
  std::size_t connections_per_client = 2'048;
  std::size_t origin_connections = 16'384;
  std::size_t origin_connections_per_client = 2'048;
  std::size_t buffer_kb = 256;        // per direction of an exchange
  std::size_t capture_mb = 64;        // all captured bodies together
  std::size_t client_memory_mb = 64;  // what one client's connections make leash hold
  std::size_t h2_streams = 128;
  std::size_t h2_resets_per_second = 200;
  std::size_t leaves = 4'096;
};

enum class Durability { kWrite, kSync, kAsync };

struct Settings {
  std::vector<base::Endpoint> listen;  // never empty
  std::string admin;                   // "127.0.0.1:8081", "unix:/path", "off"
  std::string policy_dir;
  std::string log;
  std::string ca_dir;
  std::string origin_ca;  // "" for none
  std::vector<base::Network> origin_networks;
  std::size_t body_limit_kb = 1024;
  std::size_t workers = 1;
  // What the proxy itself is called in TLS to its port; empty: localhost and the host's name.
  std::vector<base::Host> proxy_names;
  std::string identity_host;
  bool captures_websocket = false;             // LEASH_CAPTURE_WEBSOCKET
  bool keeps_secrets = false;                  // LEASH_LOG_SECRETS=keep
  Durability durability = Durability::kWrite;  // LEASH_AUDIT
  std::size_t log_max_mb = 0;                  // rotated when it has reached this; 0: never
  std::size_t log_keep = 0;                    // rotated files kept; 0: all
  std::optional<base::SyslogTarget> syslog;    // audit lines go there, too
  std::string audit_socket;                    // path of a unix socket; "" for none
  // Where leash-console listens: the proxy never dials it. Never empty.
  std::vector<base::SocketAddress> console_listen;
  Limits limits;
};

// kExit: --help or --version has been printed. kUpgrade: as kServe, in the place of the leash that
// serves.
enum class Run { kServe, kUpgrade, kCheck, kExit };
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
