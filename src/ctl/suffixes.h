// Which names are shared by people who do not know each other (libpsl's list and a few parents it
// leaves out).
#pragma once

#include <string>

#include "base/authority.h"

namespace leash::ctl {

// What a rule on `host` covers besides what its author has in mind; "" where nothing is known
// against it.
[[nodiscard]] std::string shared_name_warning(const base::Host& host);

}  // namespace leash::ctl
