#include "ctl/commands.h"
#include "insight/console_token.h"
#include "insight/printable.h"

namespace leash::ctl {

int run_console_token(const Context& context, const ConsoleTokenOptions& options) {
  std::string dir = options.state_dir;
  if (dir.empty()) dir = context.variable("LEASH_CONSOLE_DIR");
  if (dir.empty()) dir = insight::kConsoleStateDir;
  const auto role =
      options.is_viewer ? insight::ConsoleRole::kViewer : insight::ConsoleRole::kOperator;
  const auto token = insight::read_console_token(dir, role);
  if (!token) return context.fail(token.error());
  context.out << insight::printable(*token) << '\n';
  return kDone;
}

}  // namespace leash::ctl
