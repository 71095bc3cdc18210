// Hashes and random bytes for the rest of leash.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace leash::tls {

using Digest = std::array<std::uint8_t, 32>;
[[nodiscard]] Digest sha256(std::string_view a, std::string_view b = {});  // of a then b
[[nodiscard]] Digest hmac_sha256(std::string_view key, std::string_view text);
[[nodiscard]] std::string hex(const Digest& digest);
[[nodiscard]] std::string base64(std::string_view bytes);
// The Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455 s. 4.2.2).
[[nodiscard]] std::string websocket_accept(std::string_view key);
// From the kernel's generator; ends the process where it fails.
[[nodiscard]] std::string random_bytes(std::size_t count);

}  // namespace leash::tls
