// What every subcommand is given: where to write, the environment, the clock, the global options.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/settings.h"

namespace leash::ctl {

// Exit codes of leashctl. `edit` besides hands on the editor's.
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;  // did not work, or the answer is no
inline constexpr int kUsage = 2;   // the command line is wrong

// The global options, "" where not given.
struct GlobalOptions {
  std::string policy_dir;
  std::string log;
  std::string ca_dir;
  std::string admin;
};

struct Context {
  std::ostream& out;
  std::ostream& err;
  std::map<std::string, std::string> env;
  bool is_coloured = false;
  bool shows_progress = false;  // err is a terminal
  std::function<std::chrono::system_clock::time_point()> now = std::chrono::system_clock::now;
  // Passes the time between two looks at a log that is followed; false ends the following.
  std::function<bool()> wait;
  GlobalOptions global;

  // --policy-dir, LEASH_DIR, /etc/leash. Costs no look at leash.yaml, so that the commands on
  // policy files work where leash.yaml does not.
  [[nodiscard]] std::string policy_dir() const;
  // leash's settings for this policy directory, with --log, --ca-dir and --admin on top. Errors:
  // bad_config.
  [[nodiscard]] base::Result<config::Settings> settings() const;
  // `named`, or the log where that is empty. Errors: bad_config.
  [[nodiscard]] base::Result<std::vector<std::string>> logs(
      const std::vector<std::string>& named) const;
  // "" where the variable is not set.
  [[nodiscard]] std::string variable(const std::string& name) const;

  // Writes "leashctl: MESSAGE", escaped, to err. Gives kFailed.
  int fail(std::string_view message) const;
  int fail(const base::Error& error) const;
  // The same for what does not stop the command.
  void warn(std::string_view message) const;
};

}  // namespace leash::ctl
