// Looks on at a WebSocket's frames, both ways: what breaks RFC 6455 does not go on.
#pragma once

#include <string_view>

#include "audit/record.h"
#include "base/error.h"
#include "http/message.h"
#include "http/websocket_frames.h"

namespace leash::proxy {

class WebsocketTap {
 public:
  // `accepted`: the origin's 101.
  explicit WebsocketTap(const http::ResponseHead& accepted);

  // Before the bytes go on. Errors: bad_websocket_frame; then they must not.
  [[nodiscard]] base::Result<void> from_client(std::string_view bytes) {
    return client_.take(bytes);
  }
  [[nodiscard]] base::Result<void> from_origin(std::string_view bytes) {
    return origin_.take(bytes);
  }
  // Counts and close codes for the websocket_closed line.
  void describe(audit::Record& record) const;

 private:
  http::WebSocketFrames client_;
  http::WebSocketFrames origin_;
};

}  // namespace leash::proxy
