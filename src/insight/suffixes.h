// Which names are shared by people who do not know each other (libpsl's list and a few parents it
// leaves out).
#pragma once

#include <string>

#include "base/authority.h"

namespace leash::insight {

// What a rule on `host` covers besides what its author has in mind; "" where nothing is known
// against it.
[[nodiscard]] std::string shared_name_warning(const base::Host& host);

// Whether one owner has `name` and every name below it, as far as is known: it is at or below a
// registrable domain, and neither a public suffix, a shared hosting domain, nor a name below one of
// the big clouds' parents. `name` in canonical form.
[[nodiscard]] bool has_one_owner(const std::string& name);

// The part of a name that somebody has registered ("example.co.uk"); the name itself where nothing
// is known of it. `name` in canonical form.
[[nodiscard]] std::string registrable_domain(const std::string& name);

}  // namespace leash::insight
