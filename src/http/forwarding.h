// Which fields go on to the other side, and in what shape (RFC 9110 s. 7.6).
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "http/message.h"

namespace leash::http {

// WebSocket asked for by an HTTP/1.1 request (RFC 6455 s. 4.1): GET, Upgrade: websocket,
// Connection: upgrade, version 13, a key of 16 bytes in base64, no body. nullopt where it is not; a
// malformed one is an ordinary request whose Upgrade is stripped.
[[nodiscard]] std::optional<std::string> websocket_key(const RequestHead& head);

// Makes the request fit for the origin: drops hop-by-hop fields and those that Connection names
// (never framing, Host, Authorization, Cookie, Content-*, which Connection cannot take away),
// Proxy-*, Keep-Alive, TE except "trailers", Upgrade, Expect (answered here) and HTTP2-Settings;
// sets Host to `authority` (without the scheme's default port). WebSocket handshakes keep
// Sec-WebSocket-*.
void prepare_for_origin(RequestHead& head, const base::Authority& authority,
                        std::string_view scheme);

// The same for a response: hop-by-hop, Proxy-*, Alt-Svc (HTTP/3 would go round us), Upgrade.
void prepare_for_client(ResponseHead& head);

// GET, HEAD, OPTIONS, TRACE, PUT, DELETE (RFC 9110 s. 9.2.2).
[[nodiscard]] bool is_idempotent(std::string_view method);
[[nodiscard]] std::string_view status_text(int status);

}  // namespace leash::http
