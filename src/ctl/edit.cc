#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/text.h"
#include "config/policy_files.h"
#include "ctl/commands.h"
#include "insight/small_file.h"

namespace leash::ctl {
namespace {

// While the editor has the terminal, ^C and ^\ are its business.
class KeyboardSignalsIgnored {
 public:
  KeyboardSignalsIgnored() {
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGINT, &ignore, &interrupt_);
    ::sigaction(SIGQUIT, &ignore, &quit_);
  }
  ~KeyboardSignalsIgnored() {
    ::sigaction(SIGINT, &interrupt_, nullptr);
    ::sigaction(SIGQUIT, &quit_, nullptr);
  }
  KeyboardSignalsIgnored(const KeyboardSignalsIgnored&) = delete;
  KeyboardSignalsIgnored& operator=(const KeyboardSignalsIgnored&) = delete;

 private:
  struct sigaction interrupt_ {};
  struct sigaction quit_ {};
};

// The shell splits $EDITOR, so that "code --wait" works; the path is an argument of its own,
// whatever it holds. Gives the exit code as a shell would: 127 where there is no such program, 128
// and the signal's number.
int run_editor(const std::string& editor, const std::string& path) {
  std::string shell = "sh";
  std::string flag = "-c";
  std::string script = editor + " \"$@\"";
  std::string name = editor;
  std::string file = path;
  char* const argv[] = {shell.data(), flag.data(), script.data(),
                        name.data(),  file.data(), nullptr};
  const KeyboardSignalsIgnored ignored;
  posix_spawnattr_t attributes;
  if (::posix_spawnattr_init(&attributes) != 0) return 126;
  sigset_t defaults;
  ::sigemptyset(&defaults);
  ::sigaddset(&defaults, SIGINT);
  ::sigaddset(&defaults, SIGQUIT);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  pid_t child = 0;
  const int error = ::posix_spawn(&child, "/bin/sh", nullptr, &attributes, argv, environ);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) return 126;
  int state = 0;
  while (::waitpid(child, &state, 0) < 0) {
    if (errno != EINTR) return 126;
  }
  return WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
}

// The list of the mode that the file names. The original looked at the word and nothing else, so do
// we.
base::Result<std::string> list_in_force(const std::string& dir) {
  const auto refuse = [](std::string detail) {
    return base::fail(base::Code::kBadConfig, base::Fault::kClient, std::move(detail));
  };
  const auto text = insight::read_small_file(dir + "/mode", 64 * 1024);
  const std::string word = text ? std::string(base::trim(*text)) : "enforce";
  if (word == "enforce" || word == "blocklist") return word;
  if (word == "audit") {
    return refuse(
        "audit mode has no policy file of its own: use 'leashctl edit enforce' or "
        "'leashctl edit blocklist'");
  }
  return refuse("unknown current mode");
}

}  // namespace

int run_edit(const Context& context, const std::string& target) {
  const std::string dir = context.policy_dir();
  std::string list = target;
  if (list.empty()) {
    auto in_force = list_in_force(dir);
    if (!in_force) return context.fail(in_force.error());
    list = std::move(*in_force);
  }
  if (list != "enforce" && list != "blocklist") {
    return context.fail("edit target must be 'enforce' or 'blocklist'");
  }
  const std::string file = list + ".yaml";
  const std::string path = dir + "/" + file;
  std::string editor = context.variable("EDITOR");
  if (base::trim(editor).empty()) editor = "vi";
  context.out.flush();
  if (const int code = run_editor(editor, path); code != 0) return code;

  const config::PolicyReading reading = config::read_policy(dir);
  const auto& entries = list == "enforce" ? reading.enforce : reading.blocklist;
  for (const config::Finding& finding : reading.findings) {
    if (finding.file != file) continue;
    const std::string place =
        finding.line > 0 ? file + ":" + std::to_string(finding.line) + ": " : file + ": ";
    context.warn(place + finding.text);
  }
  if (entries == nullptr) {
    return context.fail(path + " is not valid YAML — proxy will keep using the previous state");
  }
  context.out << file << " saved · YAML valid · proxy will reload on next request\n";
  return kDone;
}

}  // namespace leash::ctl
