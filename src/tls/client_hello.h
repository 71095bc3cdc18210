// What a ClientHello says, read before any handshake (RFC 8446 s. 4.1.2).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace leash::tls {

struct ClientHello {
  // As the client wrote it; parse it with base::Host before use. Absent where no server_name was
  // sent.
  std::optional<std::string> sni;
  std::vector<std::string> alpn;
  bool has_ech = false;   // encrypted_client_hello, GREASE or real
  std::size_t bytes = 0;  // of the records that it came in
};

// Reads one from the first bytes of a connection, however it is split over records.
// nullopt: more bytes are needed (at most kMaxHelloBytes in all). Errors (fault client):
// bad_client_hello; not_http when the first byte cannot begin a TLS record.
inline constexpr std::size_t kMaxHelloBytes = 64 * 1024;
// A hello whose parts contradict each other is bad: an extension twice, two server names, bytes
// after the message in its last record. What follows that record is not looked at.
[[nodiscard]] base::Result<std::optional<ClientHello>> peek_client_hello(std::string_view bytes);

// The bodies of single extensions. Errors (fault client): bad_client_hello.
// server_name (RFC 6066 s. 3): exactly one host_name of 1 to 255 bytes, none of them NUL.
[[nodiscard]] base::Result<std::string> parse_server_name(std::string_view extension);
// application_layer_protocol_negotiation (RFC 7301 s. 3.1).
[[nodiscard]] base::Result<std::vector<std::string>> parse_alpn(std::string_view extension);

inline constexpr unsigned kServerNameExtension = 0;
inline constexpr unsigned kAlpnExtension = 16;
// encrypted_client_hello: 0xfe0d, and the drafts before it.
inline constexpr unsigned kFirstEchExtension = 0xfe08;
inline constexpr unsigned kLastEchExtension = 0xfe0d;

}  // namespace leash::tls
