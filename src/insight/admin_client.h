// One question to leash's admin socket: a blocking HTTP GET with a deadline.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/error.h"

namespace leash::insight {

struct AdminAnswer {
  int status = 0;
  std::string body;  // at most 64 KiB
};

// `admin` as in the settings, "127.0.0.1:8081" or "unix:/path"; a wildcard address is asked on
// loopback. Errors: bad_config (not an address), connect_failed, timeout, closed_early,
// bad_status_line.
[[nodiscard]] base::Result<AdminAnswer> admin_get(const std::string& admin, std::string_view path,
                                                  std::chrono::milliseconds timeout);

// Whether somebody takes connections at such an address; nothing is sent. Errors: as admin_get.
[[nodiscard]] base::Result<void> try_connect(const std::string& address,
                                             std::chrono::milliseconds timeout);

}  // namespace leash::insight
