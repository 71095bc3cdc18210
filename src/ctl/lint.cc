#include <algorithm>
#include <tuple>
#include <vector>

#include "base/message_text.h"
#include "config/agents_file.h"
#include "config/policy_files.h"
#include "ctl/commands.h"
#include "insight/printable.h"
#include "insight/suffixes.h"

namespace leash::ctl {
namespace {

using config::Finding;

void add_shared_names(const std::shared_ptr<const policy::EntryMap>& entries,
                      std::vector<Finding>& findings) {
  if (entries == nullptr) return;
  for (const auto& [name, of_host] : entries->all()) {
    for (const policy::Entry& entry : of_host) {
      const std::string warning = insight::shared_name_warning(entry.host);
      if (warning.empty()) break;
      findings.push_back(Finding{entry.file, entry.line, warning, false});
    }
  }
}

}  // namespace

int run_lint(const Context& context) {
  const config::PolicyReading reading = config::read_policy(context.policy_dir());
  std::vector<Finding> findings = reading.findings;
  add_shared_names(reading.enforce, findings);
  add_shared_names(reading.blocklist, findings);
  const auto agents = config::read_agent_networks(context.policy_dir());
  findings.insert(findings.end(), agents.findings.begin(), agents.findings.end());
  const auto writable = config::writable_policy(context.policy_dir());
  findings.insert(findings.end(), writable.begin(), writable.end());
  if (const auto settings = context.settings(); !settings) {
    findings.push_back(Finding{"settings", 0, settings.error().detail, true});
  }
  std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
    return std::tie(a.file, a.line) < std::tie(b.file, b.line);
  });
  std::size_t errors = 0;
  for (const Finding& finding : findings) {
    if (finding.is_error) ++errors;
    context.out << insight::printable(finding.file) << ':';
    if (finding.line > 0) context.out << finding.line << ':';
    context.out << (finding.is_error ? " error: " : " warning: ")
                << insight::printable(finding.text) << '\n';
  }
  if (findings.empty()) {
    context.out << "no findings\n";
  } else {
    context.out << base::counted(errors, "error") << ", "
                << base::counted(findings.size() - errors, "warning") << '\n';
  }
  return errors == 0 ? kDone : kFailed;
}

}  // namespace leash::ctl
