// One direction of a WebSocket: whole and byte by byte must agree.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/websocket_frames.h"

using namespace leash::http;

namespace {

std::string run(std::string_view bytes, std::size_t step, std::uint8_t flags) {
  WebSocketLimits limits;
  limits.frame_bytes = 100'000;
  limits.message_bytes = 200'000;
  limits.capture_bytes = 1000;
  limits.capture_least = (flags & 4) != 0 ? 100 : 0;
  WebSocketFrames frames((flags & 1) != 0 ? WebSocketSender::kClient : WebSocketSender::kOrigin,
                         (flags & 2) != 0 ? WebSocketDeflate::kOn : WebSocketDeflate::kOff, limits);
  std::string out;
  while (!bytes.empty()) {
    const auto part = bytes.substr(0, step);
    bytes.remove_prefix(part.size());
    if (auto r = frames.take(part); !r) {
      out = r.error().text();
      break;
    }
  }
  const WebSocketCounts& counts = frames.counts();
  out += " " + std::to_string(counts.frames) + " " + std::to_string(counts.messages) + " " +
         std::to_string(counts.payload_bytes);
  std::size_t kept = 0;
  for (const WebSocketText& text : frames.take_texts()) {
    out += "|" + text.text;
    kept += text.text.size();
  }
  if (kept > limits.capture_bytes) std::abort();
  if (frames.close()) out += "#" + std::to_string(frames.close()->code) + frames.close()->reason;
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view in(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  const std::string whole = run(in, in.size(), bytes[0]);
  if (run(in, 1, bytes[0]) != whole || run(in, 7, bytes[0]) != whole) std::abort();
  return 0;
}
