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
#include "insight/moment.h"

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

// kNextPem: of the CA that 'ca rotate' has prepared; kBundle: of both.
enum class CaOutput { kSummary, kPem, kNextPem, kBundle };
int run_ca(const Context& context, CaOutput output);
// Prepares the CA that follows. `at`: when 'ca switch --if-due' puts it in force; "": by command.
int run_ca_rotate(const Context& context, const std::string& at);
enum class SwitchWhen { kNow, kIfDue };
// kFailed where nothing is prepared; kDone where it is not due yet.
int run_ca_switch(const Context& context, SwitchWhen when);
int run_ca_cancel(const Context& context);

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

struct ConsoleTokenOptions {
  std::string state_dir;  // of leash-console; "": LEASH_CONSOLE_DIR, else its default
  bool is_viewer = false;
};
// Prints the token that signs in to the console.
int run_console_token(const Context& context, const ConsoleTokenOptions& options);

// Looks at all that leash stands on and says how to mend what is wrong. kFailed where something is.
int run_doctor(const Context& context);

// Which logs `audit`, `top`, `learn` and `report` read.
struct LogChoice {
  std::vector<std::string> files;  // in this order; none: the log
  bool with_rotated = false;       // the log's rotated files before it; without `files` only
};

// Which events they look at. Texts as on the command line; "" for no condition.
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
  LogChoice logs;
};
int run_audit(const Context& context, const AuditOptions& options);
// Only the intents that have no outcome.
int run_audit_open(const Context& context, const AuditOptions& options);

struct TopOptions {
  EventFilter filter;
  std::size_t rows = 10;
  LogChoice logs;
};
int run_top(const Context& context, const TopOptions& options);

enum class LearnOutput { kDiff, kWhole, kApply };
struct LearnOptions {
  EventFilter filter;
  LearnOutput output = LearnOutput::kDiff;
  std::uint64_t min_requests = 1;  // of a host and port, fewer are left out
  LogChoice logs;
};
// Proposes entries for enforce.yaml by what a run used. kFailed where a log cannot be read to its
// end.
int run_learn(const Context& context, const LearnOptions& options);

struct ReportOptions {
  EventFilter filter;
  std::string html;               // the file to write; "-" for stdout
  std::size_t rows = 25;          // of each table
  std::vector<std::string> keys;  // none: the public half in the CA directory, where it is there
  LogChoice logs;
};
// kFailed where a log cannot be read to its end (the report says so), kUsage where a key that was
// named cannot be read.
int run_report(const Context& context, const ReportOptions& options);

struct VerifyOptions {
  std::vector<std::string> files;  // oldest first
  std::vector<std::string> keys;   // files with public keys (PEM); none: signatures are not checked
  std::vector<std::string> witnesses;  // files with what `checkpoint` printed
};
// kUsage where a key or a witness cannot be read, or a witness is not what its signer made.
int run_verify(const Context& context, const VerifyOptions& options);

struct CheckpointOptions {
  std::vector<std::string> files;  // oldest first; none: the log
  std::vector<std::string> keys;   // none: the public half in the CA directory
};
// kFailed where the files are not whole. kUsage where a key that was named cannot be read.
int run_checkpoint(const Context& context, const CheckpointOptions& options);

struct ProveOptions {
  std::string id;
  std::vector<std::string> files;  // oldest first; none: the log
  std::vector<std::string> keys;   // none: the public half in the CA directory
};
// kUsage where a key that was named cannot be read.
int run_prove(const Context& context, const ProveOptions& options);

struct VerifyProofOptions {
  std::string file;
  std::vector<std::string> keys;  // none: those that the proof brings
};
// kUsage where a key cannot be read.
int run_verify_proof(const Context& context, const VerifyProofOptions& options);

}  // namespace leash::ctl
