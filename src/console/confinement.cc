#include "console/confinement.h"

namespace leash::console {

using sandbox::FileRights;
using sandbox::folder_of;
using sandbox::real_path;

sandbox::Confinement confine(const Settings& settings) {
  constexpr FileRights kRead = sandbox::kReadFiles;
  constexpr FileRights kChange = kRead | sandbox::kWriteFiles | sandbox::kChangeNames;
  constexpr FileRights kReadAndRename = kRead | sandbox::kChangeNames;  // to clear the log
  const config::Settings& leash = settings.leash;
  sandbox::NeedsBuilder needs(leash.ca_dir);
  needs.grant(settings.state_dir, kChange);
  needs.grant(leash.policy_dir, kChange);
  needs.grant_links(leash.policy_dir, kChange);
  needs.grant(folder_of(leash.log), kReadAndRename);
  needs.grant(real_path(leash.log).parent_path(), kReadAndRename);  // where it is a link
  // For what the health strip says of the CA: the public files, each by itself.
  for (const char* name : {"leash-ca-cert.pem", "mitmproxy-ca-cert.pem"}) {
    needs.grant_unless_ca(leash.ca_dir + "/" + name, kRead);
  }
  needs.grant_system();
  const bool has_admin_file = leash.admin.starts_with("unix:");
  return sandbox::confine(
      needs.take(), {folder_of(leash.log).string(), leash.policy_dir}, sandbox::Reach::kOwnProcess,
      has_admin_file ? sandbox::PathSockets::kAny : sandbox::PathSockets::kNoMore);
}

}  // namespace leash::console
