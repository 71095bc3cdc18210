#include "ctl/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <string_view>

#include "ctl/commands.h"

namespace leash::ctl {
namespace {

constexpr std::string_view kUsageText =
    R"(usage: leashctl [OPTIONS] COMMAND [ARGUMENTS]

policy
  leashctl mode                       print the mode
  leashctl mode NAME                  set it: enforce, audit or blocklist
  leashctl edit                       edit the file of the present mode in $EDITOR
  leashctl edit enforce|blocklist     edit that file
  leashctl allow HOST [--port N]... [--method M] [--prefix P] [--reason T] [--expires D]
  leashctl block HOST [...]           the same for the blocklist
  leashctl remove HOST [--from enforce|blocklist] [--port N]... [--method M] [--prefix P]
  leashctl check URL [-X METHOD]      what each mode says about a request, and by which rule
  leashctl lint                       all findings in the policy files

audit log
  leashctl tail [-f] [-n N]           the last events; -f goes on with those that come
  leashctl audit [FILTERS] [-o table|ndjson|csv] [FILE]...
  leashctl top [FILTERS] [-n N] [FILE]...
  leashctl verify FILE... [--key PUB] prove that a log is whole

agents and service
  leashctl ca [--print]               the interception CA
  leashctl env [--proxy URL]          the export lines an agent needs
  leashctl status                     everything at a glance
  leashctl help [COMMAND]

options, also after the command
  --policy-dir DIR   policy files (LEASH_DIR; default /etc/leash)
  --log FILE         audit log (LOG_PATH, leash.yaml; default /logs/egress.jsonl)
  --ca-dir DIR       interception CA (LEASH_CA_DIR, leash.yaml; default /var/lib/leash/ca)
  --admin ADDR       ADDR:PORT or unix:PATH of leash (LEASH_ADMIN, leash.yaml; default 127.0.0.1:8081)

exit codes
  0  done; allowed, clean, whole, well
  1  did not work; not allowed, errors found, not whole, needs attention; no such command
  2  wrong use of a command's options
  edit also gives the editor's own exit code
)";

constexpr std::string_view kVersionText = "leashctl " LEASH_VERSION "\n";

constexpr std::array<std::string_view, 13> kCommands = {
    "mode", "edit",  "allow", "block",  "remove", "check", "lint",
    "tail", "audit", "top",   "verify", "ca",     "env"};

constexpr std::array<std::string_view, 4> kGlobalOptions = {"--policy-dir", "--log", "--ca-dir",
                                                            "--admin"};

bool is_command(std::string_view word) {
  return word == "status" || std::find(kCommands.begin(), kCommands.end(), word) != kCommands.end();
}

// The first word that is neither a global option nor its value; words.size() where there is none.
std::size_t command_index(const std::vector<std::string>& words) {
  std::size_t i = 0;
  while (i < words.size()) {
    const std::string_view word = words[i];
    const std::string_view name = word.substr(0, word.find('='));
    const bool is_global =
        std::find(kGlobalOptions.begin(), kGlobalOptions.end(), name) != kGlobalOptions.end();
    if (!is_global) return i;
    i += name.size() == word.size() ? 2 : 1;
  }
  return words.size();
}

bool asks_for_help(std::string_view word) {
  return word.empty() || word == "help" || word == "-h" || word == "--help";
}

// Where the options of the commands land; one of them is used.
struct Parsed {
  std::vector<std::string> mode_words;
  std::vector<std::string> edit_words;
  config::EntryChange change;
  std::string from;
  CheckOptions check;
  bool prints_pem = false;
  EnvOptions env;
  TailOptions tail;
  AuditOptions audit;
  std::string output = "table";
  TopOptions top;
  VerifyOptions verify;
};

constexpr std::size_t kMaxRows = 1'000'000;

void add_change(CLI::App& command, config::EntryChange& change) {
  command.add_option("HOST", change.host, "domain (covers what is below it) or IP address")
      ->required();
  command.add_option("--port", change.ports, "port; may be given again")
      ->allow_extra_args(false)
      ->check(CLI::Range(1, 65535));
  command.add_option("--method", change.method, "only this method");
  command.add_option("--prefix", change.prefix, "only paths that begin with this");
}

void add_reason(CLI::App& command, config::EntryChange& change) {
  command.add_option("--reason", change.reason, "free text, kept with the entry");
  command.add_option("--expires", change.expires,
                     "2026-12-31T00:00:00Z, or a span from now such as 8h or 7d");
}

void add_filter(CLI::App& command, EventFilter& filter) {
  command.add_option("--since", filter.since,
                     "from then on: 2026-01-31T12:00:00Z, Unix seconds, or 15m, 2h, 7d ago");
  command.add_option("--until", filter.until, "before then");
  command.add_option("--host", filter.host, "this host and those below it");
  command.add_option("--event", filter.event, "allowed, blocked, error, connect_allowed, ...");
  command.add_option("--client", filter.client, "client address");
  command.add_option("--agent", filter.agent, "agent");
  command.add_option("--status", filter.status, "status of the response")
      ->check(CLI::Range(100, 999));
  command.add_flag("--would-block", filter.would_block, "only what enforce would have blocked");
}

void add_commands(CLI::App& app, Parsed& parsed) {
  auto* mode = app.add_subcommand("mode", "print or set the mode");
  mode->add_option("NAME", parsed.mode_words, "enforce, audit or blocklist");
  auto* edit = app.add_subcommand("edit", "edit a policy file in $EDITOR, then check it");
  edit->add_option("TARGET", parsed.edit_words, "enforce or blocklist");

  auto* allow = app.add_subcommand("allow", "add an entry to enforce.yaml");
  add_change(*allow, parsed.change);
  add_reason(*allow, parsed.change);
  auto* block = app.add_subcommand("block", "add an entry to blocklist.yaml");
  add_change(*block, parsed.change);
  add_reason(*block, parsed.change);
  auto* remove = app.add_subcommand("remove", "take an entry, a port or a path rule out of a list");
  add_change(*remove, parsed.change);
  remove->add_option("--from", parsed.from, "the list; default: the one that has the host")
      ->check(CLI::IsMember({"enforce", "blocklist"}));

  auto* check = app.add_subcommand("check",
                                   "say what each mode does with a request; exit 0 if the "
                                   "mode in force allows it");
  check->add_option("URL", parsed.check.url, "http, https, ws or wss URL, or HOST:PORT")
      ->required();
  check->add_option("-X,--method", parsed.check.method, "default GET");
  app.add_subcommand("lint", "print all findings in the policy files; exit 1 if one is an error");

  auto* ca = app.add_subcommand("ca", "describe the interception CA");
  ca->add_flag("--print", parsed.prints_pem, "print the certificate in PEM");
  auto* env = app.add_subcommand("env", "print the export lines an agent needs");
  env->add_option("--proxy", parsed.env.proxy, "default: leash's first listener");
  env->add_option("--ca-file", parsed.env.ca_file, "where the agent has the certificate");

  auto* tail = app.add_subcommand("tail", "print the last events of the audit log");
  tail->add_flag("-f,--follow", parsed.tail.follows, "go on with the events that come");
  tail->add_option("-n,--lines", parsed.tail.lines, "how many; default 10")
      ->check(CLI::Range(std::size_t{0}, kMaxRows));
  app.add_subcommand("status",
                     "mode, entries, findings, log, CA and admin socket; exit 1 if "
                     "something needs attention");

  auto* audit = app.add_subcommand("audit", "search audit logs, plain, .gz or .zst");
  add_filter(*audit, parsed.audit.filter);
  audit->add_option("-o,--output", parsed.output, "table, ndjson or csv")
      ->check(CLI::IsMember({"table", "ndjson", "csv"}));
  audit->add_option("FILE", parsed.audit.files, "default: the log");
  auto* top = app.add_subcommand("top", "busiest hosts and agents, bytes, refusals");
  add_filter(*top, parsed.top.filter);
  top->add_option("-n,--rows", parsed.top.rows, "rows a table; default 10")
      ->check(CLI::Range(std::size_t{1}, kMaxRows));
  top->add_option("FILE", parsed.top.files, "default: the log");

  auto* verify = app.add_subcommand("verify", "prove that logs are whole; exit 0 whole, 1 not");
  verify->add_option("FILE", parsed.verify.files, "log files, oldest first")->required();
  verify
      ->add_option("--key", parsed.verify.keys,
                   "public key of the checkpoints (PEM); may be given again")
      ->allow_extra_args(false);
}

std::string first(const std::vector<std::string>& words) {
  return words.empty() ? std::string() : words.front();
}

int dispatch(const Context& context, std::string_view name, Parsed& parsed) {
  if (name == "mode") return run_mode(context, first(parsed.mode_words));
  if (name == "edit") return run_edit(context, first(parsed.edit_words));
  if (name == "allow") return run_allow(context, parsed.change);
  if (name == "block") return run_block(context, parsed.change);
  if (name == "remove") {
    std::optional<config::PolicyList> from;
    if (parsed.from == "enforce") from = config::PolicyList::kEnforce;
    if (parsed.from == "blocklist") from = config::PolicyList::kBlocklist;
    return run_remove(context, from, parsed.change);
  }
  if (name == "check") return run_check(context, parsed.check);
  if (name == "lint") return run_lint(context);
  if (name == "ca") return run_ca(context, parsed.prints_pem ? CaOutput::kPem : CaOutput::kSummary);
  if (name == "env") return run_env(context, parsed.env);
  if (name == "tail") return run_tail(context, parsed.tail);
  if (name == "status") return run_status(context);
  if (name == "audit") {
    if (parsed.output == "ndjson") parsed.audit.output = AuditOutput::kNdjson;
    if (parsed.output == "csv") parsed.audit.output = AuditOutput::kCsv;
    return run_audit(context, parsed.audit);
  }
  if (name == "top") return run_top(context, parsed.top);
  return run_verify(context, parsed.verify);
}

}  // namespace

int run(Context context, std::vector<std::string> words) {
  std::size_t at = command_index(words);
  std::string name = at < words.size() ? words[at] : std::string();
  if (name == "--version") {
    context.out << kVersionText;
    return kDone;
  }
  if (asks_for_help(name)) {
    if (name != "help" || at + 1 >= words.size() || !is_command(words[at + 1])) {
      context.out << kUsageText;
      return kDone;
    }
    name = words[at + 1];
    words = {name, "--help"};
  }
  if (!is_command(name)) {
    return context.fail("unknown command: " + name + " (see 'leashctl help')");
  }

  CLI::App app("", "leashctl");
  app.fallthrough();
  app.require_subcommand(1, 1);
  app.add_option("--policy-dir", context.global.policy_dir, "policy files");
  app.add_option("--log", context.global.log, "audit log");
  app.add_option("--ca-dir", context.global.ca_dir, "interception CA");
  app.add_option("--admin", context.global.admin, "admin socket of leash");
  Parsed parsed;
  add_commands(app, parsed);
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
  try {
    app.parse(words);
  } catch (const CLI::CallForHelp&) {
    context.out << app.help("", CLI::AppFormatMode::Normal);
    return kDone;
  } catch (const CLI::ParseError& error) {
    context.fail(std::string(error.what()) + " (see 'leashctl help " + name + "')");
    return kUsage;
  }
  const int code = dispatch(context, name, parsed);
  context.out.flush();
  // A full disk or a closed pipe behind stdout: what was asked for has not arrived.
  return context.out.good() ? code : context.fail("cannot write the output");
}

}  // namespace leash::ctl
