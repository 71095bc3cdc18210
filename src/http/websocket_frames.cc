#include "http/websocket_frames.h"

#include <algorithm>

#include "base/text.h"

namespace leash::http {
namespace {

constexpr std::uint8_t kFin = 0x80;
constexpr std::uint8_t kRsv1 = 0x40;
constexpr std::uint8_t kRsv23 = 0x30;
constexpr std::uint8_t kMasked = 0x80;
constexpr std::uint8_t kLengthBits = 0x7f;
constexpr std::size_t kMaxControl = 125;

// RFC 6455 s. 7.4, and the codes registered since.
bool is_close_code(unsigned code) {
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

}  // namespace

WebSocketFrames::WebSocketFrames(WebSocketSender sender, WebSocketDeflate deflate,
                                 const WebSocketLimits& limits)
    : sender_(sender), deflate_(deflate), limits_(limits), capture_left_(limits.capture_bytes) {}

base::Result<void> WebSocketFrames::take(std::string_view bytes) {
  while (!error_ && !bytes.empty()) {
    if (is_in_payload_) {
      const std::string_view part =
          bytes.substr(0, std::min<std::uint64_t>(payload_left_, bytes.size()));
      take_payload(part);
      bytes.remove_prefix(part.size());
      payload_left_ -= part.size();
    } else {
      head_.at(head_have_++) = static_cast<std::uint8_t>(bytes.front());
      bytes.remove_prefix(1);
      if (head_have_ < head_bytes()) continue;
      head_have_ = 0;
      if (!begin_frame()) break;
      is_in_payload_ = true;
    }
    if (is_in_payload_ && payload_left_ == 0) {
      is_in_payload_ = false;
      if (!end_frame()) break;
    }
  }
  if (error_) return tl::unexpected(*error_);
  return {};
}

bool WebSocketFrames::is_between_messages() const {
  return !is_in_payload_ && head_have_ == 0 && !is_in_message_;
}

// As far as it is known from what has come.
std::size_t WebSocketFrames::head_bytes() const {
  if (head_have_ < 2) return 2;
  const std::uint8_t length = head_[1] & kLengthBits;
  const std::size_t mask = (head_[1] & kMasked) != 0 ? 4 : 0;
  return 2 + mask + (length == 126 ? 2U : length == 127 ? 8U : 0U);
}

bool WebSocketFrames::begin_frame() {
  ++counts_.frames;
  const bool is_masked = (head_[1] & kMasked) != 0;
  const std::uint8_t short_length = head_[1] & kLengthBits;
  const std::size_t length_bytes = short_length == 126 ? 2 : short_length == 127 ? 8 : 0;
  std::uint64_t length = short_length;
  if (length_bytes > 0) {
    length = 0;
    for (std::size_t i = 0; i < length_bytes; ++i) length = (length << 8) | head_.at(2 + i);
    const std::uint64_t least = length_bytes == 2 ? 126 : 65'536;
    if (length < least) return refuse("length not in its shortest form");
    if (length >> 63 != 0) return refuse("length");
  }
  if (is_masked != (sender_ == WebSocketSender::kClient)) {
    return refuse(is_masked ? "masked frame of the origin" : "unmasked frame of the client");
  }
  if (is_masked) std::copy_n(head_.begin() + 2 + length_bytes, mask_.size(), mask_.begin());
  mask_at_ = 0;
  payload_left_ = length;

  const bool is_rsv1 = (head_[0] & kRsv1) != 0;
  if ((head_[0] & kRsv23) != 0) return refuse("reserved bits");
  const std::uint8_t opcode = head_[0] & 0x0f;
  is_final_ = (head_[0] & kFin) != 0;
  if ((opcode > 2 && opcode < 8) || opcode > 10) return refuse("reserved opcode");
  opcode_ = static_cast<Opcode>(opcode);
  if (close_) return refuse("frame after close");
  if (opcode >= 8) {
    control_.clear();
    if (is_rsv1) return refuse("reserved bits");
    if (!is_final_) return refuse("control frame in pieces");
    if (length > kMaxControl) return refuse("control frame over 125 bytes");
    ++counts_.control_frames;
    return true;
  }
  // RFC 7692 s. 6.1: set on the first frame of a compressed message only.
  const bool may_compress = deflate_ == WebSocketDeflate::kOn && opcode_ != Opcode::kContinuation;
  if (is_rsv1 && !may_compress) return refuse("reserved bits");
  return begin_data_frame(length, is_rsv1);
}

bool WebSocketFrames::begin_data_frame(std::uint64_t length, bool is_compressed) {
  if (opcode_ == Opcode::kContinuation) {
    if (!is_in_message_) return refuse("continuation of nothing");
  } else {
    if (is_in_message_) return refuse("message within a message");
    is_in_message_ = true;
    message_bytes_ = 0;
    message_fragments_ = 0;
    is_kept_ = opcode_ == Opcode::kText && !is_compressed && capture_left_ > 0;
    text_ = {};
  }
  if (length > limits_.frame_bytes) return refuse("frame too large");
  message_bytes_ += length;
  if (message_bytes_ > limits_.message_bytes) return refuse("message too large");
  if (++message_fragments_ > limits_.fragments) return refuse("message in too many pieces");
  return true;
}

void WebSocketFrames::take_payload(std::string_view bytes) {
  const bool is_control = static_cast<std::uint8_t>(opcode_) >= 8;
  if (!is_control) counts_.payload_bytes += bytes.size();
  std::string* into = is_control ? &control_ : is_kept_ ? &text_.text : nullptr;
  if (into != nullptr) {
    const std::size_t room = may_keep_ ? capture_left_ : 0;
    const std::size_t n = is_control ? bytes.size() : std::min(bytes.size(), room);
    const std::size_t start = into->size();
    into->append(bytes.substr(0, n));
    if (sender_ == WebSocketSender::kClient) {
      for (std::size_t i = 0; i < n; ++i) {
        char& c = (*into)[start + i];
        c = static_cast<char>(static_cast<std::uint8_t>(c) ^ mask_.at((mask_at_ + i) % 4));
      }
    }
    if (!is_control) {
      capture_left_ -= n;
      if (n < bytes.size()) cut_text();
    }
  }
  mask_at_ = (mask_at_ + bytes.size()) % 4;
}

void WebSocketFrames::cut_text() {
  text_.is_cut = true;
  keep_text();
}

void WebSocketFrames::keep_text() {
  if (const std::size_t n = text_.text.size(); n < limits_.capture_least) {
    capture_left_ -= std::min(capture_left_, limits_.capture_least - n);
  }
  texts_.push_back(std::exchange(text_, {}));
  is_kept_ = false;
}

bool WebSocketFrames::end_frame() {
  if (opcode_ == Opcode::kClose) return read_close();
  if (opcode_ == Opcode::kPing || opcode_ == Opcode::kPong || !is_final_) return true;
  is_in_message_ = false;
  ++counts_.messages;
  if (is_kept_) keep_text();
  return true;
}

// RFC 6455 s. 5.5.1: nothing, or a code and a reason in UTF-8.
bool WebSocketFrames::read_close() {
  WebSocketClose close;
  if (control_.size() == 1) return refuse("close of one byte");
  if (!control_.empty()) {
    close.code = static_cast<std::uint16_t>((static_cast<std::uint8_t>(control_[0]) << 8) |
                                            static_cast<std::uint8_t>(control_[1]));
    close.reason = control_.substr(2);
    if (!is_close_code(close.code)) return refuse("close code");
    if (!base::is_utf8(close.reason)) return refuse("close reason is not UTF-8");
  }
  close_ = std::move(close);
  return true;
}

bool WebSocketFrames::refuse(const char* why) {
  const base::Fault fault =
      sender_ == WebSocketSender::kClient ? base::Fault::kClient : base::Fault::kOrigin;
  error_ = base::Error{base::Code::kBadWebSocketFrame, fault, why};
  return false;
}

}  // namespace leash::http
