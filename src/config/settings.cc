#include "config/settings.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iterator>
#include <optional>
#include <thread>

#include "base/environment.h"
#include "base/text.h"
#include "config/command_line.h"
#include "config/setting_values.h"
#include "config/settings_file.h"

namespace leash::config {
namespace {

using base::Environment;

struct Row {
  std::string_view flag;
  std::string_view variable;
  std::string_view key;
  std::string_view fallback;
  std::string_view text;
};

constexpr Row kRows[] = {
    {"--listen ADDR:PORT|unix:PATH", "LEASH_LISTEN", "listen", "0.0.0.0:8080",
     "where agents connect (repeatable)"},
    {"--admin ADDR:PORT|unix:PATH|off", "LEASH_ADMIN", "admin", "127.0.0.1:8081",
     "health, readiness and metrics"},
    {"--policy-dir DIR", "LEASH_DIR", "-", "/etc/leash",
     "mode, enforce.yaml, blocklist.yaml, agents.yaml, leash.yaml"},
    {"--log FILE", "LOG_PATH", "log", "/logs/egress.jsonl", "the audit log"},
    {"--ca-dir DIR", "LEASH_CA_DIR", "ca_dir", "/var/lib/leash/ca",
     "the CA that agents trust; made at first start"},
    {"--origin-ca FILE", "LEASH_ORIGIN_CA", "origin_ca", "system store only",
     "extra trusted roots for origins"},
    {"--allow-origin-network CIDR", "LEASH_ORIGIN_NETWORKS", "allow_origin_networks",
     "none: public addresses only", "opens a non-public network (repeatable)"},
    {"--proxy-name NAME", "LEASH_PROXY_NAMES", "proxy_names", "localhost, the host's name",
     "what TLS to the proxy's own port is served for (repeatable)"},
    {"--body-limit-kb N", "BODY_LIMIT_KB", "body_limit_kb", "1024",
     "captured characters of a body, in units of 1024"},
    {"--workers N", "LEASH_WORKERS", "workers", "number of cores", "event loops"},
    {"--check-config", "-", "-", "-", "parse everything, print findings, exit 0 or 1"},
    {"--upgrade", "-", "-", "-",
     "take the place of the leash that runs, in the background; refuses nobody"},
    {"--version", "-", "-", "-", "print the version"},
    {"-", "LEASH_IDENTITY_HOST", "identity_host", "off",
     "requests to this host carry X-Agent-Source"},
    {"-", "LEASH_CAPTURE_WEBSOCKET", "capture_websocket", "0",
     "1: text messages of WebSockets go into the audit log"},
    {"-", "LEASH_AUDIT", "-", "write", "write, sync or async: when a line counts as written"},
    {"-", "LEASH_LOG_MAX_MB", "log_max_mb", "0",
     "the audit log is rotated and packed when it has reached so many MiB; 0: not by leash"},
    {"-", "LEASH_LOG_KEEP", "log_keep", "0", "rotated files that leash keeps; 0: all"},
    {"-", "LEASH_SYSLOG", "syslog", "off",
     "unix:PATH, udp://HOST:PORT or tcp://HOST:PORT: audit lines go there, too (RFC 5424)"},
    {"-", "LEASH_AUDIT_SOCKET", "audit_socket", "off",
     "path of a unix socket that streams audit lines to whoever connects"},
    {"-", "LEASH_CONSOLE_LISTEN", "console_listen", "0.0.0.0:8090",
     "where leash-console listens (ADDR:PORT, a list): no agent gets there through leash"},
    {"-", "LEASH_LOG_SECRETS", "-", "redact", "keep: secrets stay readable in the audit log"},
};

// What the command line said; empty where it said nothing.
struct Flags {
  std::vector<std::string> listen;
  std::vector<std::string> networks;
  std::vector<std::string> proxy_names;
  std::optional<std::string> admin;
  std::optional<std::string> policy_dir;
  std::optional<std::string> log;
  std::optional<std::string> ca_dir;
  std::optional<std::string> origin_ca;
  std::optional<std::string> body_limit_kb;
  std::optional<std::string> workers;
  bool is_check = false;
  bool is_upgrade = false;
};

void define(CLI::App& app, Flags& flags) {
  app.set_help_flag("-h,--help");
  app.set_version_flag("--version", "leash " LEASH_VERSION);
  app.add_option("--listen", flags.listen)->allow_extra_args(false);
  app.add_option("--allow-origin-network", flags.networks)->allow_extra_args(false);
  app.add_option("--proxy-name", flags.proxy_names)->allow_extra_args(false);
  app.add_option("--admin", flags.admin);
  app.add_option("--policy-dir", flags.policy_dir);
  app.add_option("--log", flags.log);
  app.add_option("--ca-dir", flags.ca_dir);
  app.add_option("--origin-ca", flags.origin_ca);
  app.add_option("--body-limit-kb", flags.body_limit_kb);
  app.add_option("--workers", flags.workers);
  app.add_flag("--check-config", flags.is_check);
  app.add_flag("--upgrade", flags.is_upgrade)->excludes("--check-config");
}

// A setting's text with the name of where it came from. An empty variable counts as unset.
struct Source {
  std::string name;
  std::string text;
};

std::optional<Source> choose(const char* flag, const std::optional<std::string>& flag_text,
                             const char* variable, const Environment& env) {
  if (flag_text) return Source{flag, *flag_text};
  const auto it = env.find(variable);
  if (it == env.end() || it->second.empty()) return std::nullopt;
  return Source{variable, it->second};
}

// Remembers the first error, so that the settings below can be written one a line.
class Applier {
 public:
  explicit Applier(const Environment& env) : env_(env) {}

  template <class T, class Parse>
  void set(const char* flag, const std::optional<std::string>& flag_text, const char* variable,
           T& into, Parse parse) {
    if (const auto source = choose(flag, flag_text, variable, env_)) {
      store(source->name, parse(source->text), into);
    }
  }

  template <class T, class Parse>
  void set_list(const char* flag, const std::vector<std::string>& flag_texts, const char* variable,
                T& into, Parse parse) {
    if (!flag_texts.empty()) {
      store(flag, parse(flag_texts), into);
    } else if (const auto source = choose(flag, std::nullopt, variable, env_)) {
      store(source->name, parse(split_words(source->text)), into);
    }
  }

  template <class T>
  void store(const std::string& name, base::Result<T> value, T& into) {
    if (error_) return;
    if (value) {
      into = std::move(*value);
    } else {
      error_ = base::Error{base::Code::kBadConfig, base::Fault::kProxy,
                           name + ": " + value.error().detail};
    }
  }

  [[nodiscard]] const std::optional<base::Error>& error() const { return error_; }

 private:
  const Environment& env_;
  std::optional<base::Error> error_;
};

base::Result<Durability> parse_durability(std::string_view text) {
  if (text == "write") return Durability::kWrite;
  if (text == "sync") return Durability::kSync;
  if (text == "async") return Durability::kAsync;
  return base::fail(base::Code::kBadConfig, base::Fault::kProxy, "must be write, sync or async");
}

base::Result<bool> parse_secrets(std::string_view text) {
  if (text == "keep") return true;
  if (text == "redact") return false;
  return base::fail(base::Code::kBadConfig, base::Fault::kProxy, "must be keep or redact");
}

Settings defaults() {
  Settings out;
  out.listen = {{.tcp = {base::IpAddress::v4(0), 8080}, .path = {}}};
  out.console_listen = {{base::IpAddress::v4(0), 8090}};
  out.admin = "127.0.0.1:8081";
  out.policy_dir = "/etc/leash";
  out.log = "/logs/egress.jsonl";
  out.ca_dir = "/var/lib/leash/ca";
  out.workers = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, kMostWorkers);
  return out;
}

void apply_flags(Applier& apply, const Flags& flags, Settings& out) {
  apply.set_list("--listen", flags.listen, "LEASH_LISTEN", out.listen, parse_listen);
  apply.set_list("--allow-origin-network", flags.networks, "LEASH_ORIGIN_NETWORKS",
                 out.origin_networks, parse_networks);
  apply.set_list("--proxy-name", flags.proxy_names, "LEASH_PROXY_NAMES", out.proxy_names,
                 parse_proxy_names);
  apply.set("--admin", flags.admin, "LEASH_ADMIN", out.admin, parse_admin);
  apply.set("--log", flags.log, "LOG_PATH", out.log, parse_file_path);
  apply.set("--ca-dir", flags.ca_dir, "LEASH_CA_DIR", out.ca_dir, parse_file_path);
  apply.set("--origin-ca", flags.origin_ca, "LEASH_ORIGIN_CA", out.origin_ca, parse_file_path);
  apply.set("--body-limit-kb", flags.body_limit_kb, "BODY_LIMIT_KB", out.body_limit_kb,
            [](std::string_view text) { return parse_count(text, 0, kMostBodyLimitKb); });
  apply.set("--workers", flags.workers, "LEASH_WORKERS", out.workers,
            [](std::string_view text) { return parse_count(text, 1, kMostWorkers); });
  apply.set("", std::nullopt, "LEASH_IDENTITY_HOST", out.identity_host, parse_identity_host);
  apply.set("", std::nullopt, "LEASH_CAPTURE_WEBSOCKET", out.captures_websocket, parse_switch);
  apply.set("", std::nullopt, "LEASH_AUDIT", out.durability, parse_durability);
  apply.set("", std::nullopt, "LEASH_LOG_MAX_MB", out.log_max_mb,
            [](std::string_view text) { return parse_count(text, 0, kMostLogMb); });
  apply.set("", std::nullopt, "LEASH_LOG_KEEP", out.log_keep,
            [](std::string_view text) { return parse_count(text, 0, kMostLogKeep); });
  apply.set_list("", {}, "LEASH_CONSOLE_LISTEN", out.console_listen, parse_console_listen);
  apply.set("", std::nullopt, "LEASH_SYSLOG", out.syslog, parse_syslog);
  apply.set("", std::nullopt, "LEASH_AUDIT_SOCKET", out.audit_socket, parse_socket_path);
  apply.set("", std::nullopt, "LEASH_LOG_SECRETS", out.keeps_secrets, parse_secrets);
}

}  // namespace

std::string settings_help() {
  std::string out =
      "leash: the one way out for AI agents.\n\nUsage: leash [FLAGS]\n\n"
      "A setting is taken from its flag, else its variable, else leash.yaml in the policy "
      "directory,\n"
      "else its default.\n\n";
  fmt::format_to(std::back_inserter(out), "{:<32}{:<23}{:<23}{}\n", "FLAG", "VARIABLE",
                 "KEY IN leash.yaml", "DEFAULT");
  for (const Row& row : kRows) {
    fmt::format_to(std::back_inserter(out), "{:<32}{:<23}{:<23}{}\n    {}\n", row.flag,
                   row.variable, row.key, row.fallback, row.text);
  }
  out += "\nLimits, under `limits` in leash.yaml (times as 500ms, 10s, 15min, 2h):\n";
  for (const LimitText& limit : limit_defaults()) {
    fmt::format_to(std::back_inserter(out), "  {:<24}{}\n", limit.key, limit.value);
  }
  return out;
}

base::Result<ParsedSettings> parse_settings(int argc, const char* const* argv,
                                            const std::map<std::string, std::string>& env) {
  CLI::App app;
  Flags flags;
  define(app, flags);
  ParsedSettings out;
  const auto read = read_command_line(app, argc, argv, settings_help);
  if (!read) return tl::unexpected(read.error());
  if (*read == CommandLine::kAnswered) {
    out.run = Run::kExit;
    return out;
  }
  if (flags.is_check) out.run = Run::kCheck;
  if (flags.is_upgrade) out.run = Run::kUpgrade;

  out.settings = defaults();
  Applier apply(env);
  apply.set("--policy-dir", flags.policy_dir, "LEASH_DIR", out.settings.policy_dir,
            parse_file_path);
  if (apply.error()) return tl::unexpected(*apply.error());
  if (auto done = apply_settings_file(out.settings.policy_dir, out.settings); !done) {
    return tl::unexpected(std::move(done.error()));
  }
  apply_flags(apply, flags, out.settings);
  if (apply.error()) return tl::unexpected(*apply.error());
  return out;
}

}  // namespace leash::config
