#include "control/confinement.h"

#include <cstdlib>
#include <string_view>

namespace leash::control {
namespace {

using sandbox::FileRights;
using sandbox::folder_of;
using sandbox::real_path;

constexpr FileRights kRead = sandbox::kReadFiles;
constexpr FileRights kLog = sandbox::kReadFiles | sandbox::kWriteFiles | sandbox::kChangeNames;

// They are removed at the end.
std::vector<std::string> socket_files(const config::Settings& settings) {
  constexpr std::string_view kUnix = "unix:";
  std::vector<std::string> out;
  for (const base::Endpoint& endpoint : settings.listen) {
    if (endpoint.is_unix()) out.push_back(endpoint.path);
  }
  if (!settings.audit_socket.empty()) out.push_back(settings.audit_socket);
  if (settings.admin.starts_with(kUnix)) out.push_back(settings.admin.substr(kUnix.size()));
  return out;
}

}  // namespace

sandbox::FileNeeds file_needs(const config::Settings& settings) {
  sandbox::NeedsBuilder needs(settings.ca_dir);
  needs.grant(folder_of(settings.log), kLog);
  needs.grant(real_path(settings.log).parent_path(), kLog);  // where it is a link
  needs.grant(settings.policy_dir, kRead);
  needs.grant_links(settings.policy_dir, kRead);
  if (!settings.origin_ca.empty()) needs.grant_unless_ca(settings.origin_ca, kRead);
  for (const std::string& file : socket_files(settings)) {
    needs.grant_removal(folder_of(file));
  }
  needs.grant_system();
  return needs.take();
}

Confinement confine(const config::Settings& settings) {
  // An abstract address of systemd's is somebody else's socket.
  const char* const notify = std::getenv("NOTIFY_SOCKET");
  const bool is_abstract = notify != nullptr && *notify == '@';
  const bool has_syslog =
      settings.syslog && settings.syslog->transport == base::SyslogTarget::Transport::kUnix;
  return sandbox::confine(file_needs(settings),
                          {folder_of(settings.log).string(), settings.policy_dir},
                          is_abstract ? sandbox::Reach::kEverywhere : sandbox::Reach::kOwnProcess,
                          has_syslog ? sandbox::PathSockets::kAny : sandbox::PathSockets::kNoMore);
}

}  // namespace leash::control
