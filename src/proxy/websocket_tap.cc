#include "proxy/websocket_tap.h"

namespace leash::proxy {
namespace {

// A log line costs more than the byte that it may hold: a flood of tiny messages ends early.
constexpr std::size_t kLeastBytes = 256;

http::WebSocketDeflate deflate_of(const http::ResponseHead& accepted) {
  const std::string* extensions = accepted.fields.find("sec-websocket-extensions");
  const bool has_deflate =
      extensions != nullptr && extensions->find("permessage-deflate") != std::string::npos;
  return has_deflate ? http::WebSocketDeflate::kOn : http::WebSocketDeflate::kOff;
}

http::WebSocketLimits limits_for(std::size_t capture_bytes) {
  http::WebSocketLimits limits;
  limits.capture_bytes = capture_bytes;
  limits.capture_least = kLeastBytes;
  return limits;
}

}  // namespace

WebsocketTap::WebsocketTap(const http::ResponseHead& accepted, audit::CaptureBudget& budget,
                           std::size_t capture_bytes)
    : budget_(budget),
      captures_(capture_bytes > 0),
      client_{{http::WebSocketSender::kClient, deflate_of(accepted), limits_for(capture_bytes)}},
      origin_{{http::WebSocketSender::kOrigin, deflate_of(accepted), limits_for(capture_bytes)}} {}

WebsocketTap::~WebsocketTap() { budget_.give(client_.held + origin_.held); }

WebsocketTap::Taken WebsocketTap::take(Way& way, std::string_view bytes) {
  if (!captures_) {
    if (auto fine = way.frames.take(bytes); !fine) return tl::unexpected(fine.error());
    return {};
  }
  // All of these bytes may be a text's.
  const bool has_room = budget_.take(bytes.size());
  if (has_room) way.held += bytes.size();
  way.frames.set_may_keep(has_room);
  auto fine = way.frames.take(bytes);
  auto texts = way.frames.take_texts();
  const std::size_t kept = way.frames.kept_bytes();
  budget_.give(way.held - kept);
  way.held = kept;
  if (!fine) return tl::unexpected(fine.error());
  return texts;
}

void WebsocketTap::describe(audit::Record& record) const {
  const auto count = [&record](const char* name, std::uint64_t value) {
    record.extra_numbers.emplace_back(name, static_cast<std::int64_t>(value));
  };
  count("messages_up", client_.frames.counts().messages);
  count("messages_down", origin_.frames.counts().messages);
  count("frames_up", client_.frames.counts().frames);
  count("frames_down", origin_.frames.counts().frames);
  if (client_.frames.close()) count("close_code_up", client_.frames.close()->code);
  if (origin_.frames.close()) count("close_code_down", origin_.frames.close()->code);
}

}  // namespace leash::proxy
