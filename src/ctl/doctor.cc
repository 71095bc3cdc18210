#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <vector>

#include "audit/checkpoint_key.h"
#include "audit/verifier.h"
#include "base/fd.h"
#include "base/text.h"
#include "config/agents_file.h"
#include "config/policy_files.h"
#include "ctl/commands.h"
#include "insight/admin_client.h"
#include "insight/log_event.h"
#include "insight/printable.h"
#include "insight/small_file.h"
#include "tls/authority_store.h"
#include "tls/signing_key.h"

namespace leash::ctl {
namespace {

constexpr std::chrono::seconds kAnswerTime{3};
constexpr std::chrono::hours kExpiresSoon{24 * 30};
constexpr std::uint64_t kLittleSpace = 1024ULL * 1024 * 1024;
constexpr unsigned kLittlePercent = 5;
// What is verified of a large log: its end. `leashctl verify` does all of it.
constexpr std::uint64_t kVerifiedBytes = 256ULL * 1024 * 1024;
constexpr std::uint64_t kUnsignedLines = 10'000;
constexpr std::size_t kMaxKeyBytes = 64 * 1024;
constexpr mode_t kModeBits = 07777;

class Report {
 public:
  explicit Report(const Context& context) : context_(context) {}

  void ok(const std::string& text) { line("ok       ", text, ""); }
  void note(const std::string& text) { line("note     ", text, ""); }
  void finding(const std::string& text, const std::string& fix) {
    ++findings_;
    line("FINDING  ", text, "\x1b[33m");
    context_.out << "         fix: " << insight::printable(fix) << '\n';
  }
  [[nodiscard]] std::size_t findings() const { return findings_; }

 private:
  void line(const char* kind, const std::string& text, const char* colour) {
    const bool marks = context_.is_coloured && *colour != '\0';
    context_.out << (marks ? colour : "") << kind << insight::printable(text)
                 << (marks ? "\x1b[0m" : "") << '\n';
  }

  const Context& context_;
  std::size_t findings_ = 0;
};

std::string owner_name(uid_t uid) {
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
    return entry.pw_name;
  }
  return std::to_string(uid);
}

// What stat says of `path`; nullopt, told as a finding, where it cannot be asked.
std::optional<struct stat> look_at(Report& report, const std::string& path,
                                   const std::string& fix) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0) return info;
  report.finding(path + ": " + base::errno_text(errno), fix);
  return std::nullopt;
}

bool others_may_write(const struct stat& info) { return (info.st_mode & (S_IWGRP | S_IWOTH)) != 0; }

// Files whose writer decides what leash does: nobody but their owner, root or leash, writes them.
void check_policy_modes(Report& report, const std::string& dir) {
  const auto folder = look_at(report, dir, "mkdir -p " + insight::shell_word(dir));
  if (!folder) return;
  bool is_well = true;
  const auto judge = [&](const std::string& path, const struct stat& info) {
    // The group of operators may write policy; the world may not.
    if ((info.st_mode & S_IWOTH) == 0 || S_ISLNK(info.st_mode)) return;
    is_well = false;
    report.finding(
        fmt::format("{}: everybody can write it (mode {:04o})", path, info.st_mode & kModeBits),
        "chmod o-w " + insight::shell_word(path));
  };
  judge(dir, *folder);
  for (const char* name : {"mode", "enforce.yaml", "blocklist.yaml", "agents.yaml", "leash.yaml"}) {
    struct stat info {};
    const std::string path = dir + "/" + name;
    if (::lstat(path.c_str(), &info) == 0) judge(path, info);
  }
  if (is_well) report.ok("policy files: nobody writes them but owner and group");
}

void check_policy(Report& report, const std::string& dir) {
  const config::PolicyReading reading = config::read_policy(dir);
  std::vector<config::Finding> findings = reading.findings;
  const auto agents = config::read_agent_networks(dir);
  findings.insert(findings.end(), agents.findings.begin(), agents.findings.end());
  std::size_t errors = 0;
  for (const config::Finding& finding : findings) {
    const std::string where =
        finding.line > 0 ? fmt::format("{}:{}", finding.file, finding.line) : finding.file;
    if (finding.is_error) {
      ++errors;
      report.finding(fmt::format("policy: {}: {}", where, finding.text),
                     "leashctl edit, then leashctl lint");
    } else {
      report.note(fmt::format("policy: {}: {}", where, finding.text));
    }
  }
  const policy::Mode mode = reading.mode.value_or(policy::Mode::kEnforce);
  if (mode != policy::Mode::kEnforce) {
    report.note(fmt::format("policy: mode {}, which lets pass what enforce would refuse",
                            policy::word(mode)));
  }
  if (errors == 0) report.ok(fmt::format("policy: no errors, mode {}", policy::word(mode)));
}

void check_key(Report& report, const std::string& path, uid_t owner) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return;  // there is another kind of CA, or none yet
  if (!S_ISREG(info.st_mode)) {
    report.finding(path + ": not a regular file; leash does not start with it",
                   "put the file itself there");
  } else if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    report.finding(fmt::format("{}: others can read it (mode {:04o}); leash does not start with it",
                               path, info.st_mode & kModeBits),
                   "chmod 600 " + insight::shell_word(path) +
                       ", and think about a new CA: somebody may have read it");
  } else if (info.st_uid != 0 && info.st_uid != owner) {
    report.finding(fmt::format("{}: belongs to {}, its directory to {}", path,
                               owner_name(info.st_uid), owner_name(owner)),
                   fmt::format("chown {} {}", owner_name(owner), insight::shell_word(path)));
  } else {
    report.ok(fmt::format("{}: {}, mode {:04o}", path, owner_name(info.st_uid),
                          info.st_mode & kModeBits));
  }
}

void check_ca(Report& report, const Context& context, const std::string& dir) {
  const auto folder =
      look_at(report, dir, "start leash once: it makes the CA; or name another --ca-dir");
  if (!folder) return;
  if (others_may_write(*folder)) {
    report.finding(fmt::format("{}: others can write it (mode {:04o}), and so replace the CA", dir,
                               folder->st_mode & kModeBits),
                   "chmod 700 " + insight::shell_word(dir));
  }
  for (const char* name : {"leash-ca-key.pem", "mitmproxy-ca.pem", "leash-audit-key.pem"}) {
    check_key(report, dir + "/" + name, folder->st_uid);
  }
  const auto certificate = tls::read_ca_certificate(dir);
  if (!certificate) {
    report.finding(certificate.error().detail, "start leash once: it makes the CA");
    return;
  }
  const auto end = insight::parse_moment(certificate->not_after, context.now());
  if (!end) {
    report.note("CA: its end cannot be read: " + certificate->not_after);
  } else if (*end <= context.now()) {
    report.finding("CA: expired " + certificate->not_after,
                   "move it away, start leash, give the new certificate to the agents");
  } else if (*end - context.now() < kExpiresSoon) {
    report.finding("CA: expires " + certificate->not_after,
                   "make a new one and give it to the agents before that");
  } else {
    report.ok("CA: until " + certificate->not_after);
  }
}

void check_space(Report& report, const std::string& folder) {
  struct statvfs info {};
  if (::statvfs(folder.c_str(), &info) != 0) return;  // told of where the log is opened
  const std::uint64_t free = static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
  const std::uint64_t total = static_cast<std::uint64_t>(info.f_blocks) * info.f_frsize;
  const std::string text = fmt::format("{}: {} of {} free", folder, insight::bytes_text(free),
                                       insight::bytes_text(total));
  if (free < kLittleSpace || (total > 0 && free * 100 / total < kLittlePercent)) {
    report.finding(text + "; when it is full, agents get 503",
                   "make room, or rotate the log more often");
  } else {
    report.ok(text);
  }
}

void verify_log(Report& report, const std::string& path, const std::string& ca_dir,
                std::uint64_t size) {
  if (size == 0) {
    report.ok("chain: the log is empty");
    return;
  }
  if (size > kVerifiedBytes) {
    report.note(fmt::format("chain: {} are not read here; leashctl verify {}",
                            insight::bytes_text(size), insight::shell_word(path)));
    return;
  }
  audit::VerifyOptions conditions;
  const auto pem = insight::read_small_file(ca_dir + "/leash-audit-key.pub.pem", kMaxKeyBytes);
  if (pem) {
    if (auto key = tls::PublicKey::parse(*pem); key) {
      conditions.check_signature = audit::check_with({*key});
    }
  }
  const bool has_key = static_cast<bool>(conditions.check_signature);
  const audit::VerifyReport found = audit::verify_files({path}, std::move(conditions));
  if (!found.finding) {
    report.ok(fmt::format("chain: {} lines, through seq {}{}", found.lines, found.last_seq,
                          has_key ? ", signatures checked" : ", without the key"));
    return;
  }
  const auto flaw = found.finding->flaw;
  // leash may be writing its last line just now, or may not have signed its first ones yet.
  if (flaw == audit::Flaw::kTornEnd ||
      (flaw == audit::Flaw::kUnsigned && found.lines <= kUnsignedLines)) {
    report.ok(fmt::format("chain: through seq {}, its end is not signed yet", found.last_seq));
    return;
  }
  report.finding(fmt::format("chain: {}:{}: {}: {}", found.finding->file, found.finding->line,
                             audit::word(flaw), found.finding->text),
                 "keep a copy of the file, and find out who wrote in it (leashctl verify)");
}

void check_log(Report& report, const config::Settings& settings) {
  const std::string& path = settings.log;
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const std::string where = folder.empty() ? "." : folder;
  const auto directory =
      look_at(report, where, "mkdir -p " + insight::shell_word(where) + ", owned by leash");
  if (!directory) return;
  if ((directory->st_mode & S_IWOTH) != 0 && (directory->st_mode & S_ISVTX) == 0) {
    report.finding(fmt::format("{}: everybody can write it, and so replace the log (mode {:04o})",
                               where, directory->st_mode & kModeBits),
                   "chmod o-w " + insight::shell_word(where));
  }
  check_space(report, where);
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) {
      report.note(path + ": not there yet");
    } else {
      report.finding(path + ": " + base::errno_text(errno), "run leashctl as root or as leash");
    }
    return;
  }
  if (!S_ISREG(info.st_mode)) {
    report.finding(path + ": not a regular file", "move it away");
    return;
  }
  if ((info.st_mode & (S_IWGRP | S_IRWXO)) != 0) {
    report.finding(fmt::format("{}: others can read or write it (mode {:04o})", path,
                               info.st_mode & kModeBits),
                   "chmod 640 " + insight::shell_word(path));
  }
  // Appending nothing shows whether one may, as leash's own user or root.
  const base::Fd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC));
  if (fd.is_open()) {
    report.ok(fmt::format("{}: {}, mode {:04o}, {}, can be appended to", path,
                          owner_name(info.st_uid), info.st_mode & kModeBits,
                          insight::bytes_text(static_cast<std::uint64_t>(info.st_size))));
  } else if (::geteuid() == 0 || ::geteuid() == info.st_uid) {
    report.finding(path + ": cannot be appended to: " + base::errno_text(errno),
                   "let it belong to leash, on a file system that is not read-only");
  } else {
    report.note(path + ": belongs to " + owner_name(info.st_uid) +
                "; whether that one can append to it cannot be tried from here");
  }
  verify_log(report, path, settings.ca_dir, static_cast<std::uint64_t>(info.st_size));
}

// The clock against what was written by it: a log from the future, or a clock from before leash.
void check_clock(Report& report, const Context& context, const config::Settings& settings) {
  constexpr std::chrono::minutes kTolerance{2};
  const insight::Moment now = context.now();
  const insight::Moment built = *insight::parse_moment("2026-01-01T00:00:00Z", now);
  struct stat info {};
  const bool has_log = ::stat(settings.log.c_str(), &info) == 0;
  const insight::Moment written =
      has_log ? std::chrono::system_clock::from_time_t(info.st_mtim.tv_sec) : insight::Moment{};
  const char* fix =
      "set the clock and keep it so (chrony, systemd-timesyncd): certificates depend on it";
  if (now < built) {
    report.finding("clock: " + insight::second_text(now) + " is before leash was written", fix);
  } else if (has_log && written > now + kTolerance) {
    report.finding(fmt::format("clock: {}, and the log was written at {}",
                               insight::second_text(now), insight::second_text(written)),
                   fix);
  } else {
    report.ok("clock: " + insight::second_text(now));
  }
}

void check_listeners(Report& report, const config::Settings& settings) {
  for (const base::Endpoint& endpoint : settings.listen) {
    const auto reached = insight::try_connect(endpoint.text(), kAnswerTime);
    if (reached) {
      report.ok("listening on " + endpoint.text());
    } else {
      report.finding(
          fmt::format("nobody listens on {}: {}", endpoint.text(), reached.error().detail),
          "start leash (systemctl start leash), or look why it does not run "
          "(journalctl -u leash)");
    }
  }
  if (settings.admin == "off") {
    report.note("admin: off");
    return;
  }
  const auto answer = insight::admin_get(settings.admin, "/readyz", kAnswerTime);
  if (!answer) {
    report.finding("admin: " + settings.admin + ": " + answer.error().detail,
                   "start leash, or name its admin address (--admin)");
  } else if (answer->status != 200) {
    report.finding(fmt::format("admin: not ready ({}): {}", answer->status,
                               std::string(base::trim(answer->body).substr(0, 512))),
                   "see the reasons; a log that cannot be written is the usual one");
  } else {
    report.ok("admin: " + settings.admin + ", ready");
  }
}

}  // namespace

int run_doctor(const Context& context) {
  Report report(context);
  const std::string dir = context.policy_dir();
  check_policy_modes(report, dir);
  check_policy(report, dir);
  if (const auto settings = context.settings(); !settings) {
    report.finding("settings: " + settings.error().detail, "leash does not start with it: mend it");
  } else {
    check_clock(report, context, *settings);
    check_ca(report, context, settings->ca_dir);
    check_log(report, *settings);
    check_listeners(report, *settings);
  }
  if (report.findings() == 0) {
    context.out << "no findings\n";
    return kDone;
  }
  context.out << report.findings() << (report.findings() == 1 ? " finding\n" : " findings\n");
  return kFailed;
}

}  // namespace leash::ctl
