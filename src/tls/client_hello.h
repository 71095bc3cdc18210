// What a ClientHello says, read before any handshake (RFC 8446 s. 4.1.2).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace leash::tls {

struct ClientHello {
  // As the client wrote it; parse it with base::Host before use. Absent where no server_name was sent.
  std::optional<std::string> sni;
  std::vector<std::string> alpn;
  bool has_ech = false;  // encrypted_client_hello, GREASE or real
};

// Reads one from the first bytes of a connection, however it is split over records.
// nullopt: more bytes are needed (at most kMaxHelloBytes in all). Errors (fault client): bad_client_hello; not_http when
// the first byte cannot begin a TLS record.
inline constexpr std::size_t kMaxHelloBytes = 64 * 1024;
[[nodiscard]] base::Result<std::optional<ClientHello>> peek_client_hello(std::string_view bytes);

}  // namespace leash::tls
