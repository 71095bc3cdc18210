#include "base/environment.h"

#include <unistd.h>

#include <string_view>

namespace leash::base {

Environment environment() {
  Environment found;
  for (char** each = environ; each != nullptr && *each != nullptr; ++each) {
    const std::string_view pair = *each;
    const auto split = pair.find('=');
    if (split != std::string_view::npos) {
      found.emplace(pair.substr(0, split), pair.substr(split + 1));
    }
  }
  return found;
}

}  // namespace leash::base
