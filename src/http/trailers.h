// Which fields may come after a body (RFC 9110 s. 6.5.1).
#pragma once

#include <string_view>

#include "http/message.h"

namespace leash::http {

// False for fields that frame, route, authenticate, control or describe a message: who reads them
// late may obey them, after everyone else has decided without them.
[[nodiscard]] bool is_allowed_in_trailer(std::string_view name);

// Drops the ones that are not.
void keep_allowed_trailers(Fields& trailers);

}  // namespace leash::http
