#include "ctl/context.h"

#include <array>
#include <vector>

#include "insight/printable.h"

namespace leash::ctl {
namespace {

// The variables that bear on what leashctl asks settings for. A fault in another one is the proxy's
// to report.
constexpr std::array kVariables = {"LEASH_LISTEN", "LEASH_ADMIN", "LOG_PATH", "LEASH_CA_DIR",
                                   "LEASH_ORIGIN_NETWORKS"};

}  // namespace

std::string Context::variable(const std::string& name) const {
  const auto found = env.find(name);
  return found == env.end() ? std::string() : found->second;
}

std::string Context::policy_dir() const {
  if (!global.policy_dir.empty()) return global.policy_dir;
  const std::string from_env = variable("LEASH_DIR");
  return from_env.empty() ? "/etc/leash" : from_env;
}

base::Result<config::Settings> Context::settings() const {
  std::vector<std::string> words = {"leash", "--policy-dir", policy_dir()};
  const auto add = [&words](const char* flag, const std::string& value) {
    if (value.empty()) return;
    words.emplace_back(flag);
    words.push_back(value);
  };
  add("--log", global.log);
  add("--ca-dir", global.ca_dir);
  add("--admin", global.admin);
  std::vector<const char*> argv;
  argv.reserve(words.size());
  for (const std::string& word : words) argv.push_back(word.c_str());
  std::map<std::string, std::string> chosen;
  for (const char* name : kVariables) {
    if (const std::string value = variable(name); !value.empty()) chosen[name] = value;
  }
  auto parsed = config::parse_settings(static_cast<int>(argv.size()), argv.data(), chosen);
  if (!parsed) return tl::unexpected(parsed.error());
  return std::move(parsed->settings);
}

base::Result<std::vector<std::string>> Context::logs(const std::vector<std::string>& named) const {
  if (!named.empty()) return named;
  auto known = settings();
  if (!known) return tl::unexpected(known.error());
  return std::vector<std::string>{std::move(known->log)};
}

int Context::fail(std::string_view message) const {
  err << "leashctl: " << insight::printable(message) << '\n';
  return kFailed;
}

int Context::fail(const base::Error& error) const {
  return fail(error.detail.empty() ? std::string(base::word(error.code)) : error.detail);
}

void Context::warn(std::string_view message) const {
  err << "leashctl: warning: " << insight::printable(message) << '\n';
}

}  // namespace leash::ctl
