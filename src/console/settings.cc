#include "console/settings.h"

#include <CLI/CLI.hpp>
#include <array>

#include "base/environment.h"
#include "base/text.h"
#include "config/command_line.h"
#include "config/setting_values.h"
#include "insight/console_token.h"

namespace leash::console {
namespace {

constexpr const char* kHelp = R"(leash-console: the web console and JSON API of leash.

Usage: leash-console [FLAGS]

A setting is taken from its flag, else its variable, else leash.yaml in the policy directory,
else its default.

FLAG                    VARIABLE              KEY IN leash.yaml  DEFAULT
--listen ADDR:PORT      LEASH_CONSOLE_LISTEN  console_listen     0.0.0.0:8090
    where browsers connect (repeatable); leash reads the variable and the key too, and dials
    none of these for an agent. PORT alone gives the port on all addresses
--policy-dir DIR        LEASH_DIR             -                  /etc/leash
    the policy that is shown and changed; agents.yaml says whom the console refuses
--log FILE              LOG_PATH              log                /logs/egress.jsonl
    the audit log; its rotated files beside it are found by their names
--admin ADDR            LEASH_ADMIN           admin              127.0.0.1:8081
    where leash tells its health
--ca-dir DIR            LEASH_CA_DIR          ca_dir             /var/lib/leash/ca
    the interception CA: shown in the health strip, and the issuer of the console's own leaf
--state-dir DIR         LEASH_CONSOLE_DIR     -                  /var/lib/leash/console
    tokens, index of the log, history of policy changes; one console at a time
--host NAME             LEASH_CONSOLE_HOSTS   -                  none
    a name that the console may be called by, besides localhost and IP addresses (repeatable)
-                       LEASH_CONSOLE_TLS     -                  off
    on: HTTPS, with a certificate from the interception CA
-                       LEASH_CONSOLE_AUTH    -                  token
    off: everybody outside agent_networks is an operator
--version                                     -                  print the version

Sign in with what 'leashctl console token' prints.
)";

struct Flags {
  std::vector<std::string> listen;
  std::vector<std::string> hosts;
  std::string policy_dir;
  std::string log;
  std::string admin;
  std::string ca_dir;
  std::string state_dir;
};

void define(CLI::App& app, Flags& flags) {
  app.set_help_flag("-h,--help");
  app.set_version_flag("--version", "leash-console " LEASH_VERSION);
  app.add_option("--listen", flags.listen)->allow_extra_args(false);
  app.add_option("--host", flags.hosts)->allow_extra_args(false);
  app.add_option("--policy-dir", flags.policy_dir);
  app.add_option("--log", flags.log);
  app.add_option("--admin", flags.admin);
  app.add_option("--ca-dir", flags.ca_dir);
  app.add_option("--state-dir", flags.state_dir);
}

using base::Environment;

std::string variable(const Environment& env, const std::string& name) {
  const auto found = env.find(name);
  return found == env.end() ? std::string() : found->second;
}

tl::unexpected<base::Error> wrong(const std::string& name, const std::string& text) {
  return base::fail(base::Code::kBadConfig, base::Fault::kProxy, name + ": " + text);
}

// leash's own settings, as far as the console shares them: a fault in another one is leash's to
// report.
base::Result<config::Settings> shared_settings(const Flags& flags, const Environment& env) {
  constexpr std::array kVariables = {"LEASH_DIR",    "LEASH_ADMIN",   "LOG_PATH",
                                     "LEASH_CA_DIR", "BODY_LIMIT_KB", "LEASH_CONSOLE_LISTEN"};
  std::vector<std::string> words = {"leash"};
  const auto add = [&words](const char* flag, const std::string& value) {
    if (value.empty()) return;
    words.emplace_back(flag);
    words.push_back(value);
  };
  add("--policy-dir", flags.policy_dir);
  add("--log", flags.log);
  add("--admin", flags.admin);
  add("--ca-dir", flags.ca_dir);
  std::vector<const char*> argv;
  argv.reserve(words.size());
  for (const std::string& word : words) argv.push_back(word.c_str());
  Environment chosen;
  for (const char* name : kVariables) {
    if (const std::string value = variable(env, name); !value.empty()) chosen[name] = value;
  }
  auto parsed = config::parse_settings(static_cast<int>(argv.size()), argv.data(), chosen);
  if (!parsed) return tl::unexpected(parsed.error());
  return std::move(parsed->settings);
}

base::Result<std::vector<base::SocketAddress>> listeners(const Flags& flags, const Environment& env,
                                                         const config::Settings& leash) {
  std::vector<base::SocketAddress> out;
  for (const std::string& text : flags.listen) {
    const auto address = base::SocketAddress::parse(text);
    if (!address) return wrong("--listen", "not ADDR:PORT: " + text);
    out.push_back(*address);
  }
  if (!out.empty()) return out;
  // The original's variable.
  const std::string port_text = variable(env, "PORT");
  if (!port_text.empty() && variable(env, "LEASH_CONSOLE_LISTEN").empty()) {
    const auto port = base::parse_decimal(port_text, 65535);
    if (!port) return wrong("PORT", "not a port: " + port_text);
    out.push_back({base::IpAddress::v4(0), static_cast<std::uint16_t>(*port)});
    return out;
  }
  return leash.console_listen;
}

base::Result<std::vector<base::Host>> host_names(const Flags& flags, const Environment& env) {
  const bool has_flags = !flags.hosts.empty();
  const auto texts =
      has_flags ? flags.hosts : config::split_words(variable(env, "LEASH_CONSOLE_HOSTS"));
  std::vector<base::Host> out;
  for (const std::string& text : texts) {
    auto host = base::Host::parse_lenient(text);
    if (!host) {
      return wrong(has_flags ? "--host" : "LEASH_CONSOLE_HOSTS",
                   "not a host name (without scheme and port): " + text);
    }
    out.push_back(std::move(*host));
  }
  return out;
}

// One of two words; the first is the default.
base::Result<bool> is_second_word(const Environment& env, const char* name, std::string_view first,
                                  std::string_view second) {
  const std::string text = variable(env, name);
  if (text.empty() || text == first) return false;
  if (text == second) return true;
  return wrong(name, "must be " + std::string(first) + " or " + std::string(second));
}

}  // namespace

base::Result<ParsedSettings> parse_settings(int argc, const char* const* argv,
                                            const std::map<std::string, std::string>& env) {
  CLI::App app;
  Flags flags;
  define(app, flags);
  ParsedSettings out;
  const auto read = config::read_command_line(app, argc, argv, [] { return std::string(kHelp); });
  if (!read) return tl::unexpected(read.error());
  if (*read == config::CommandLine::kAnswered) {
    out.run = Run::kExit;
    return out;
  }
  Settings& settings = out.settings;
  auto leash = shared_settings(flags, env);
  if (!leash) return tl::unexpected(leash.error());
  settings.leash = std::move(*leash);
  auto listen = listeners(flags, env, settings.leash);
  if (!listen) return tl::unexpected(listen.error());
  settings.listen = std::move(*listen);
  auto hosts = host_names(flags, env);
  if (!hosts) return tl::unexpected(hosts.error());
  settings.hosts = std::move(*hosts);
  const auto uses_tls = is_second_word(env, "LEASH_CONSOLE_TLS", "off", "on");
  if (!uses_tls) return tl::unexpected(uses_tls.error());
  settings.uses_tls = *uses_tls;
  const auto is_open = is_second_word(env, "LEASH_CONSOLE_AUTH", "token", "off");
  if (!is_open) return tl::unexpected(is_open.error());
  settings.auth = *is_open ? Auth::kOff : Auth::kToken;
  settings.state_dir = !flags.state_dir.empty() ? flags.state_dir
                       : !variable(env, "LEASH_CONSOLE_DIR").empty()
                           ? variable(env, "LEASH_CONSOLE_DIR")
                           : insight::kConsoleStateDir;
  return out;
}

}  // namespace leash::console
