// The subcommands of leashctl, each as a function of its options; each lives in the file of its
// name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/policy_edit.h"
#include "ctl/context.h"
#include "ctl/moment.h"

namespace leash::ctl {

// Each gives the exit code, kDone or kFailed where nothing else is said.

// Prints the mode file, or writes it where a word is given.
int run_mode(const Context& context, const std::string& name);

// Opens a policy file in $EDITOR, then reads it as leash would. `target`: "enforce", "blocklist",
// or "" for the file of the mode in force. Also the editor's own exit code where that is not 0.
int run_edit(const Context& context, const std::string& target);

int run_allow(const Context& context, config::EntryChange change);
int run_block(const Context& context, config::EntryChange change);
// `from`: nullopt means the list that has the host.
int run_remove(const Context& context, std::optional<config::PolicyList> from,
               const config::EntryChange& change);

struct CheckOptions {
  std::string url;     // http, https, ws or wss; or HOST:PORT for a CONNECT alone
  std::string method;  // "" for GET
};
// kDone where the mode in force allows it.
int run_check(const Context& context, const CheckOptions& options);

// kFailed where a finding is an error.
int run_lint(const Context& context);

enum class CaOutput { kSummary, kPem };
int run_ca(const Context& context, CaOutput output);

struct EnvOptions {
  std::string proxy;    // "" for leash's first listener
  std::string ca_file;  // where the agent has the certificate; "" for the file in the CA directory
};
int run_env(const Context& context, const EnvOptions& options);

struct TailOptions {
  bool follows = false;
  std::size_t lines = 10;
};
int run_tail(const Context& context, const TailOptions& options);

// kFailed where something needs attention.
int run_status(const Context& context);

// Which events `audit` and `top` look at. Texts as on the command line; "" for no condition.
struct EventFilter {
  std::string since;
  std::string until;
  std::string host;  // this host or one below it
  std::string event;
  std::string client;
  std::string agent;
  std::optional<int> status;
  bool would_block = false;
};

enum class AuditOutput { kTable, kNdjson, kCsv };
struct AuditOptions {
  EventFilter filter;
  AuditOutput output = AuditOutput::kTable;
  std::vector<std::string> files;  // none: the log
};
int run_audit(const Context& context, const AuditOptions& options);

struct TopOptions {
  EventFilter filter;
  std::size_t rows = 10;
  std::vector<std::string> files;
};
int run_top(const Context& context, const TopOptions& options);

struct VerifyOptions {
  std::vector<std::string> files;  // oldest first
  std::vector<std::string> keys;   // files with public keys (PEM); none: signatures are not checked
};
// kUsage where a key cannot be read.
int run_verify(const Context& context, const VerifyOptions& options);

}  // namespace leash::ctl
