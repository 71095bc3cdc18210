#include "ctl/log_paths.h"

#include "insight/rotated_logs.h"

namespace leash::ctl {

base::Result<std::vector<std::string>> log_paths(const Context& context, const LogChoice& logs) {
  if (!logs.files.empty()) return logs.files;
  const auto settings = context.settings();
  if (!settings) return tl::unexpected(settings.error());
  std::vector<std::string> paths;
  if (logs.with_rotated) {
    auto rotated = insight::files_before(settings->log);
    if (!rotated) return tl::unexpected(rotated.error());
    paths = std::move(*rotated);
  }
  paths.push_back(settings->log);
  return paths;
}

}  // namespace leash::ctl
