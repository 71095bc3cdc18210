// Where a server listens: a TCP address or a unix socket.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/ip_address.h"

namespace leash::base {

struct Endpoint {
  SocketAddress tcp;
  std::string path;  // of a unix socket; "" for TCP

  // "127.0.0.1:8080", "[::1]:8080", or "unix:" and an absolute path of at most 107 bytes (sun_path
  // holds 108 with its NUL) without control characters. Port 0 is allowed. Errors: bad_syntax,
  // bad_port.
  [[nodiscard]] static Result<Endpoint> parse(std::string_view text);
  [[nodiscard]] bool is_unix() const { return !path.empty(); }
  [[nodiscard]] std::string text() const;
  auto operator<=>(const Endpoint&) const = default;
};

}  // namespace leash::base
