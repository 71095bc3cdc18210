#include <sys/stat.h>

#include <cerrno>

#include "base/text.h"
#include "config/agents_file.h"
#include "config/policy_files.h"
#include "ctl/commands.h"
#include "insight/admin_client.h"
#include "insight/log_event.h"
#include "insight/log_follower.h"
#include "insight/printable.h"
#include "tls/authority_store.h"

namespace leash::ctl {
namespace {

constexpr std::chrono::seconds kAdminTime{2};

// What a line says, and whether it wants attention.
struct Line {
  std::string text;
  bool is_well = true;
};

Line entries_line(const std::shared_ptr<const policy::EntryMap>& entries) {
  if (entries == nullptr) return {"missing, or broken as a whole", false};
  return {std::to_string(entries->size()) + (entries->size() == 1 ? " entry" : " entries")};
}

Line blocklist_line(const config::PolicyReading& reading) {
  Line line = entries_line(reading.blocklist);
  std::size_t hosts = 0;
  for (const auto& list : reading.block_lists) hosts += list->size();
  if (hosts > 0) line.text += ", " + std::to_string(hosts) + " hosts in lists";
  return line;
}

Line mode_line(const config::PolicyReading& reading) {
  if (!reading.mode) return {"enforce (the file is missing or unreadable)", false};
  return {std::string(policy::word(*reading.mode))};
}

Line findings_line(const std::vector<config::Finding>& findings) {
  std::size_t errors = 0;
  for (const config::Finding& finding : findings) errors += finding.is_error ? 1 : 0;
  if (findings.empty()) return {"none"};
  return {std::to_string(errors) + " errors, " + std::to_string(findings.size() - errors) +
              " warnings (see 'leashctl lint')",
          errors == 0};
}

Line log_line(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    return {path + ": " + base::errno_text(errno), false};
  }
  return {path + ", " + insight::bytes_text(static_cast<std::uint64_t>(status.st_size))};
}

Line last_event_line(const std::string& path) {
  insight::LogFollower log(path);
  std::optional<insight::LogEvent> last;
  auto done = log.start(1);
  if (done) done = log.poll([&last](std::string_view line) { last = insight::read_event(line); });
  if (!done) return {done.error().detail, false};
  if (!last) return {"none"};
  return {insight::event_row(*last, insight::Colours::kOff)};
}

Line ca_line(const std::string& dir, insight::Moment now) {
  const auto certificate = tls::read_ca_certificate(dir);
  if (!certificate) return {certificate.error().detail, false};
  const auto end = insight::parse_moment(certificate->not_after, now);
  if (end && *end <= now) return {certificate->path + ", expired " + certificate->not_after, false};
  return {certificate->path + ", until " + certificate->not_after};
}

Line admin_line(const std::string& admin) {
  if (admin == "off") return {"off"};
  const auto answer = insight::admin_get(admin, "/readyz", kAdminTime);
  if (!answer) return {admin + ", no answer: " + answer.error().detail, false};
  if (answer->status == 200) return {admin + ", ready"};
  std::string text = admin + ", not ready (" + std::to_string(answer->status) + ")";
  const auto body = base::trim(answer->body);
  if (!body.empty()) text += ": " + std::string(body.substr(0, 1024));
  return {text, false};
}

}  // namespace

int run_status(const Context& context) {
  bool is_well = true;
  const auto print = [&](std::string_view name, const Line& line) {
    const bool marks = context.is_coloured && !line.is_well;
    context.out << name << std::string(12 - name.size(), ' ') << (marks ? "\x1b[33m" : "")
                << insight::printable(line.text) << (marks ? "\x1b[0m" : "") << '\n';
    is_well = is_well && line.is_well;
  };
  const std::string dir = context.policy_dir();
  const config::PolicyReading reading = config::read_policy(dir);
  print("policy", {dir});
  print("mode", mode_line(reading));
  print("enforce", entries_line(reading.enforce));
  print("blocklist", blocklist_line(reading));
  std::vector<config::Finding> findings = reading.findings;
  const auto agents = config::read_agent_networks(dir);
  findings.insert(findings.end(), agents.findings.begin(), agents.findings.end());
  print("findings", findings_line(findings));
  const auto settings = context.settings();
  if (!settings) {
    print("settings", {settings.error().detail, false});
    return kFailed;
  }
  print("log", log_line(settings->log));
  print("last event", last_event_line(settings->log));
  print("CA", ca_line(settings->ca_dir, context.now()));
  print("admin", admin_line(settings->admin));
  return is_well ? kDone : kFailed;
}

}  // namespace leash::ctl
