// What is wrong with a request, as an error.
#pragma once

#include <string>
#include <utility>

#include "base/error.h"

namespace leash::console {

// Answered with 400 and `text`.
[[nodiscard]] inline tl::unexpected<base::Error> bad_request(std::string text) {
  return base::fail(base::Code::kBadConfig, base::Fault::kClient, std::move(text));
}

}  // namespace leash::console
