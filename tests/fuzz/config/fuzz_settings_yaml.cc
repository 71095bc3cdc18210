// Any text as leash.yaml: settings or an error, never a crash, never a limit of nothing.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/settings_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  leash::config::Settings settings;
  settings.listen.resize(1);
  const auto done =
      leash::config::apply_settings_text({reinterpret_cast<const char*>(data), size}, settings);
  if (!done && done.error().detail.empty()) std::abort();
  if (settings.listen.empty() || settings.workers == 0 || settings.limits.head_kb == 0 ||
      settings.limits.head_time.count() <= 0 || settings.limits.leaves == 0) {
    std::abort();
  }
  return 0;
}
