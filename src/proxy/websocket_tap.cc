#include "proxy/websocket_tap.h"

namespace leash::proxy {
namespace {

http::WebSocketDeflate deflate_of(const http::ResponseHead& accepted) {
  const std::string* extensions = accepted.fields.find("sec-websocket-extensions");
  const bool has_deflate =
      extensions != nullptr && extensions->find("permessage-deflate") != std::string::npos;
  return has_deflate ? http::WebSocketDeflate::kOn : http::WebSocketDeflate::kOff;
}

}  // namespace

WebsocketTap::WebsocketTap(const http::ResponseHead& accepted)
    : client_(http::WebSocketSender::kClient, deflate_of(accepted), {}),
      origin_(http::WebSocketSender::kOrigin, deflate_of(accepted), {}) {}

void WebsocketTap::describe(audit::Record& record) const {
  const auto count = [&record](const char* name, std::uint64_t value) {
    record.extra_numbers.emplace_back(name, static_cast<std::int64_t>(value));
  };
  count("messages_up", client_.counts().messages);
  count("messages_down", origin_.counts().messages);
  count("frames_up", client_.counts().frames);
  count("frames_down", origin_.counts().frames);
  if (client_.close()) count("close_code_up", client_.close()->code);
  if (origin_.close()) count("close_code_down", origin_.close()->code);
}

}  // namespace leash::proxy
