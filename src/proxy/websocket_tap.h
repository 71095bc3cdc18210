// Looks on at a WebSocket's frames, both ways: what breaks RFC 6455 does not go on.
#pragma once

#include <string_view>
#include <vector>

#include "audit/capture.h"
#include "audit/record.h"
#include "base/error.h"
#include "http/message.h"
#include "http/websocket_frames.h"

namespace leash::proxy {

class WebsocketTap {
 public:
  // `accepted`: the origin's 101. Text messages are kept up to `capture_bytes` each way, those
  // under way within the budget, which must outlive this; 0 keeps none.
  WebsocketTap(const http::ResponseHead& accepted, audit::CaptureBudget& budget,
               std::size_t capture_bytes);
  ~WebsocketTap();
  WebsocketTap(const WebsocketTap&) = delete;
  WebsocketTap& operator=(const WebsocketTap&) = delete;

  // Before the bytes go on. The text messages that they complete (or that are cut in them), or
  // bad_websocket_frame; then they must not.
  using Taken = base::Result<std::vector<http::WebSocketText>>;
  [[nodiscard]] Taken from_client(std::string_view bytes) { return take(client_, bytes); }
  [[nodiscard]] Taken from_origin(std::string_view bytes) { return take(origin_, bytes); }
  // Counts and close codes for the websocket_closed line.
  void describe(audit::Record& record) const;

 private:
  struct Way {
    http::WebSocketFrames frames;
    std::size_t held = 0;  // of the budget
  };
  Taken take(Way& way, std::string_view bytes);

  audit::CaptureBudget& budget_;
  bool captures_;
  Way client_;
  Way origin_;
};

}  // namespace leash::proxy
