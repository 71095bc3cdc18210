#include <array>
#include <cstddef>

#include "ctl/commands.h"
#include "insight/printable.h"
#include "insight/small_file.h"

namespace leash::ctl {
namespace {

constexpr std::array kModes = {policy::Mode::kEnforce, policy::Mode::kAudit,
                               policy::Mode::kBlocklist};
constexpr std::size_t kMaxModeBytes = 64 * 1024;

}  // namespace

int run_mode(const Context& context, const std::string& name) {
  const std::string dir = context.policy_dir();
  if (name.empty()) {
    // As it stands, even where leash would take it for enforce: this is what an operator has to see
    // then.
    const auto text = insight::read_small_file(dir + "/mode", kMaxModeBytes);
    context.out << (text ? insight::printable(*text, insight::LineBreaks::kKeep) : "enforce\n");
    return kDone;
  }
  for (const policy::Mode candidate : kModes) {
    if (name != policy::word(candidate)) continue;
    const auto written = config::write_mode(dir, candidate);
    if (!written) return context.fail(written.error());
    context.out << "mode → " << name << '\n';
    return kDone;
  }
  return context.fail("unknown mode: " + name + " (must be one of: enforce audit blocklist)");
}

}  // namespace leash::ctl
