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
  leashctl audit [FILTERS] [-o table|ndjson|csv] [--rotated | FILE...]
  leashctl audit open [FILTERS] [FILE]...
                                      requests and tunnels that have no outcome (yet)
  leashctl top [FILTERS] [-n N] [--rotated | FILE...]
  leashctl learn [FILTERS] [--print|--apply] [--min-requests N] [--rotated | FILE...]
                                      propose entries for what a run used
  leashctl report --html FILE [--since T] [--until T] [-n N] [--key PUB]... [--rotated | LOG...]
                                      a page about the log, to hand on
  leashctl verify FILE... [--key PUB]... [--witness FILE]...
                                      prove that a log is whole, and as a witness has seen it
  leashctl checkpoint [FILE]...       the last signed checkpoint: a witness, to be kept elsewhere
  leashctl prove ID [FILE]...         a proof of one request's lines, for somebody without the log
  leashctl verify-proof FILE [--key PUB]
                                      check such a proof

agents and service
  leashctl ca [--print [--next] | --bundle]
                                      the interception CA
  leashctl ca rotate [--at WHEN]      prepare the CA that follows it, for agents to trust meanwhile
  leashctl ca switch [--if-due]       put that one in force
  leashctl ca cancel                  take it back
  leashctl env [--proxy URL]          the export lines an agent needs
  leashctl status                     everything at a glance
  leashctl console token [--viewer]   the token that signs in to the web console
  leashctl doctor                     what is wrong with this installation, and how to mend it
  leashctl help [COMMAND]

options, also after the command
  --policy-dir DIR   policy files (LEASH_DIR; default /etc/leash)
  --log FILE         audit log (LOG_PATH, leash.yaml; default /logs/egress.jsonl)
  --ca-dir DIR       interception CA (LEASH_CA_DIR, leash.yaml; default /var/lib/leash/ca)
  --admin ADDR       ADDR:PORT or unix:PATH of leash (LEASH_ADMIN, leash.yaml; default 127.0.0.1:8081)

exit codes
  0  done; allowed, clean, whole, proven, well
  1  did not work; not allowed, errors found, not whole or proven, needs attention; no such command
  2  wrong use of a command's options
  edit also gives the editor's own exit code
)";

constexpr std::string_view kVersionText = "leashctl " LEASH_VERSION "\n";

constexpr std::array<std::string_view, 20> kCommands = {
    "mode",  "edit",         "allow", "block", "remove", "check",  "lint",
    "tail",  "audit",        "top",   "learn", "report", "verify", "checkpoint",
    "prove", "verify-proof", "ca",    "env",   "doctor", "console"};

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
  bool prints_next = false;
  bool prints_bundle = false;
  std::string ca_action;  // "", rotate, switch or cancel
  std::string ca_at;
  bool if_due = false;
  EnvOptions env;
  TailOptions tail;
  AuditOptions audit;
  bool audit_open = false;
  std::string output = "table";
  TopOptions top;
  LearnOptions learn;
  bool learn_prints = false;
  bool learn_applies = false;
  ReportOptions report;
  VerifyOptions verify;
  CheckpointOptions checkpoint;
  ProveOptions prove;
  VerifyProofOptions verify_proof;
  ConsoleTokenOptions console_token;
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

void add_period(CLI::App& command, EventFilter& filter) {
  command.add_option("--since", filter.since,
                     "from then on: 2026-01-31T12:00:00Z, Unix seconds, or 15m, 2h, 7d ago");
  command.add_option("--until", filter.until, "before then");
}

void add_party(CLI::App& command, EventFilter& filter) {
  command.add_option("--host", filter.host, "this host and those below it");
  command.add_option("--client", filter.client, "client address, network, or unix:UID");
  command.add_option("--agent", filter.agent, "agent");
}

void add_logs(CLI::App& command, LogChoice& logs) {
  auto* rotated = command.add_flag("--rotated", logs.with_rotated,
                                   "the log with its rotated files, the oldest first");
  command.add_option("FILE", logs.files, "logs, plain, .gz or .zst; default: the log")
      ->excludes(rotated);
}

void add_filter(CLI::App& command, EventFilter& filter) {
  add_period(command, filter);
  add_party(command, filter);
  command.add_option("--event", filter.event, "allowed, blocked, error, connect_allowed, ...");
  command.add_option("--status", filter.status, "status of the response")
      ->check(CLI::Range(100, 999));
  command.add_flag("--would-block", filter.would_block, "only what enforce would have blocked");
}

void add_keys(CLI::App& command, std::vector<std::string>& keys) {
  command.add_option("--key", keys, "public key of the checkpoints (PEM); may be given again")
      ->allow_extra_args(false);
}

void add_ca_options(CLI::App& ca, Parsed& parsed) {
  auto* print = ca.add_flag("--print", parsed.prints_pem, "print the certificate in PEM");
  ca.add_flag("--next", parsed.prints_next, "that of the CA that is prepared")->needs(print);
  ca.add_flag("--bundle", parsed.prints_bundle, "print both")->excludes(print);
  const auto action = [&ca, &parsed](const char* name, const char* text) {
    auto* command = ca.add_subcommand(name, text);
    command->parse_complete_callback([&parsed, name] { parsed.ca_action = name; });
    return command;
  };
  action("rotate", "prepare the CA that follows")
      ->add_option("--at", parsed.ca_at, "when it is due: 14d, 2026-12-31T00:00:00Z");
  action("switch", "put it in force; leash takes it at its next start")
      ->add_flag("--if-due", parsed.if_due, "only when it is due");
  action("cancel", "take it back");
  ca.require_subcommand(0, 1);
}

int dispatch_ca(const Context& context, const Parsed& parsed) {
  if (parsed.ca_action == "rotate") return run_ca_rotate(context, parsed.ca_at);
  if (parsed.ca_action == "switch") {
    return run_ca_switch(context, parsed.if_due ? SwitchWhen::kIfDue : SwitchWhen::kNow);
  }
  if (parsed.ca_action == "cancel") return run_ca_cancel(context);
  CaOutput output = CaOutput::kSummary;
  if (parsed.prints_pem) output = parsed.prints_next ? CaOutput::kNextPem : CaOutput::kPem;
  if (parsed.prints_bundle) output = CaOutput::kBundle;
  return run_ca(context, output);
}

void add_proof_commands(CLI::App& app, Parsed& parsed) {
  auto* verify = app.add_subcommand("verify", "prove that logs are whole; exit 0 whole, 1 not");
  verify->add_option("FILE", parsed.verify.files, "log files, oldest first")->required();
  add_keys(*verify, parsed.verify.keys);
  verify
      ->add_option("--witness", parsed.verify.witnesses,
                   "file with what 'leashctl checkpoint' printed; may be given again")
      ->allow_extra_args(false);
  auto* checkpoint = app.add_subcommand(
      "checkpoint", "print the last signed checkpoint; keep it where nobody can change it");
  checkpoint->add_option("FILE", parsed.checkpoint.files,
                         "log files, oldest first; default: the log");
  add_keys(*checkpoint, parsed.checkpoint.keys);
  auto* prove = app.add_subcommand("prove", "print a proof of the lines of one request");
  prove->add_option("ID", parsed.prove.id, "the request's id")->required();
  prove->add_option("FILE", parsed.prove.files, "log files, oldest first; default: the log");
  add_keys(*prove, parsed.prove.keys);
  auto* verify_proof = app.add_subcommand("verify-proof", "check a proof; exit 0 it holds, 1 not");
  verify_proof->add_option("FILE", parsed.verify_proof.file, "what 'leashctl prove' printed")
      ->required();
  add_keys(*verify_proof, parsed.verify_proof.keys);
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
  add_ca_options(*ca, parsed);
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

  app.add_subcommand("doctor",
                     "files, modes, clock, CA, log, chain, disk, listeners; a fix for each "
                     "finding; exit 1 if there is one");

  auto* console = app.add_subcommand("console", "what the web console needs of a command line");
  console->require_subcommand(1, 1);
  auto* token = console->add_subcommand("token", "print the token that signs in to the console");
  token->add_option("--state-dir", parsed.console_token.state_dir,
                    "of leash-console (LEASH_CONSOLE_DIR; default /var/lib/leash/console)");
  token->add_flag("--viewer", parsed.console_token.is_viewer,
                  "the one that may look and change nothing");

  auto* audit = app.add_subcommand("audit", "search audit logs, plain, .gz or .zst");
  add_filter(*audit, parsed.audit.filter);
  audit->add_option("-o,--output", parsed.output, "table, ndjson or csv")
      ->check(CLI::IsMember({"table", "ndjson", "csv"}));
  add_logs(*audit, parsed.audit.logs);
  // Takes the options of `audit` too.
  auto* open = audit->add_subcommand("open", "only intents that have no outcome");
  open->add_option("FILE", parsed.audit.logs.files, "log files, oldest first; default: the log");
  open->parse_complete_callback([&parsed] { parsed.audit_open = true; });
  auto* top = app.add_subcommand("top", "busiest hosts and agents, bytes, refusals");
  add_filter(*top, parsed.top.filter);
  top->add_option("-n,--rows", parsed.top.rows, "rows a table; default 10")
      ->check(CLI::Range(std::size_t{1}, kMaxRows));
  add_logs(*top, parsed.top.logs);

  auto* learn = app.add_subcommand(
      "learn", "propose entries for enforce.yaml by what a run used; prints a diff");
  add_period(*learn, parsed.learn.filter);
  add_party(*learn, parsed.learn.filter);
  learn->add_option("--min-requests", parsed.learn.min_requests,
                    "leave out hosts with fewer requests; default 1");
  auto* whole = learn->add_flag("--print", parsed.learn_prints,
                                "print an enforce.yaml that stands for itself instead");
  learn->add_flag("--apply", parsed.learn_applies, "add the entries to enforce.yaml")
      ->excludes(whole);
  add_logs(*learn, parsed.learn.logs);

  auto* report = app.add_subcommand("report", "write a page about the log, for a browser");
  report->add_option("--html", parsed.report.html, "the file to write; - for stdout")->required();
  add_period(*report, parsed.report.filter);
  report->add_option("-n,--rows", parsed.report.rows, "rows a table; default 25")
      ->check(CLI::Range(std::size_t{1}, kMaxRows));
  add_keys(*report, parsed.report.keys);
  add_logs(*report, parsed.report.logs);

  add_proof_commands(app, parsed);
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
  if (name == "ca") return dispatch_ca(context, parsed);
  if (name == "env") return run_env(context, parsed.env);
  if (name == "tail") return run_tail(context, parsed.tail);
  if (name == "status") return run_status(context);
  if (name == "console") return run_console_token(context, parsed.console_token);
  if (name == "doctor") return run_doctor(context);
  if (name == "audit") {
    if (parsed.output == "ndjson") parsed.audit.output = AuditOutput::kNdjson;
    if (parsed.output == "csv") parsed.audit.output = AuditOutput::kCsv;
    return parsed.audit_open ? run_audit_open(context, parsed.audit)
                             : run_audit(context, parsed.audit);
  }
  if (name == "top") return run_top(context, parsed.top);
  if (name == "learn") {
    if (parsed.learn_prints) parsed.learn.output = LearnOutput::kWhole;
    if (parsed.learn_applies) parsed.learn.output = LearnOutput::kApply;
    return run_learn(context, parsed.learn);
  }
  if (name == "report") return run_report(context, parsed.report);
  if (name == "checkpoint") return run_checkpoint(context, parsed.checkpoint);
  if (name == "prove") return run_prove(context, parsed.prove);
  if (name == "verify-proof") return run_verify_proof(context, parsed.verify_proof);
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
