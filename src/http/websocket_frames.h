// Looks on at one direction of a WebSocket (RFC 6455): judges its frames, counts them, changes
// nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace leash::http {

enum class WebSocketSender { kClient, kOrigin };
// permessage-deflate (RFC 7692): was it agreed on in the handshake?
enum class WebSocketDeflate { kOff, kOn };

struct WebSocketLimits {
  std::uint64_t frame_bytes = 64ULL * 1024 * 1024;
  std::uint64_t message_bytes = 256ULL * 1024 * 1024;
  std::uint64_t fragments = 65'536;  // of one message
  std::size_t capture_bytes = 0;     // of text messages, all together; 0: none is kept
  std::size_t capture_least = 0;     // what each of them counts at least
};

struct WebSocketCounts {
  std::uint64_t messages = 0;  // whole ones, text and binary
  std::uint64_t frames = 0;
  std::uint64_t payload_bytes = 0;  // of data frames
  std::uint64_t control_frames = 0;
};

struct WebSocketClose {
  std::uint16_t code = 1005;  // RFC 6455 s. 7.1.5: none was given
  std::string reason;
};

struct WebSocketText {
  std::string text;     // unmasked
  bool is_cut = false;  // by the limit
};

class WebSocketFrames {
 public:
  WebSocketFrames(WebSocketSender sender, WebSocketDeflate deflate, const WebSocketLimits& limits);

  // Bytes that passed, split anywhere. Call before they go on: after an error they must not, and
  // each further call returns it. bad_websocket_frame, with the sender's fault: masking (client
  // frames are masked, the origin's are not, s. 5.1), reserved bits and opcodes, control frames in
  // pieces or over 125 bytes, lengths not in their shortest form, pieces out of order, a bad close,
  // frames after it, a limit.
  [[nodiscard]] base::Result<void> take(std::string_view bytes);
  [[nodiscard]] const WebSocketCounts& counts() const { return counts_; }
  // Once a close frame has passed.
  [[nodiscard]] const std::optional<WebSocketClose>& close() const { return close_; }
  // Not within a frame or a message: an end of the connection here loses nothing.
  [[nodiscard]] bool is_between_messages() const;
  // No memory for more: a text message that is under way is cut, those that begin are kept as
  // nothing but the fact that they are cut. Until true is said again.
  void set_may_keep(bool may_keep) { may_keep_ = may_keep; }
  // What is held of a text message that is under way.
  [[nodiscard]] std::size_t kept_bytes() const { return text_.text.size(); }
  // Whole text messages since the last call, and the start of the one that met the limit.
  // Compressed ones are not kept.
  [[nodiscard]] std::vector<WebSocketText> take_texts() { return std::exchange(texts_, {}); }

 private:
  enum class Opcode : std::uint8_t {
    kContinuation = 0,
    kText = 1,
    kBinary = 2,
    kClose = 8,
    kPing = 9,
    kPong = 10,
  };

  [[nodiscard]] std::size_t head_bytes() const;
  [[nodiscard]] bool begin_frame();
  [[nodiscard]] bool begin_data_frame(std::uint64_t length, bool is_compressed);
  void take_payload(std::string_view bytes);
  void cut_text();
  void keep_text();
  [[nodiscard]] bool end_frame();
  [[nodiscard]] bool read_close();
  bool refuse(const char* why);

  WebSocketSender sender_;
  WebSocketDeflate deflate_;
  WebSocketLimits limits_;

  std::array<std::uint8_t, 14> head_{};  // s. 5.2: 2 bytes, up to 8 of length, 4 of mask
  std::size_t head_have_ = 0;
  std::array<std::uint8_t, 4> mask_{};
  std::uint64_t payload_left_ = 0;
  std::size_t mask_at_ = 0;
  bool is_in_payload_ = false;
  Opcode opcode_ = Opcode::kContinuation;
  bool is_final_ = false;
  std::string control_;  // the payload of a control frame

  bool is_in_message_ = false;
  std::uint64_t message_bytes_ = 0;
  std::uint64_t message_fragments_ = 0;
  bool is_kept_ = false;  // the message goes into text_
  bool may_keep_ = true;
  WebSocketText text_;
  std::size_t capture_left_;

  WebSocketCounts counts_;
  std::optional<WebSocketClose> close_;
  std::optional<base::Error> error_;
  std::vector<WebSocketText> texts_;
};

}  // namespace leash::http
