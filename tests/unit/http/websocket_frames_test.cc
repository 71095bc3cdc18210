#include "http/websocket_frames.h"

#include <doctest/doctest.h>

using namespace leash::http;

namespace {

constexpr int kFin = 0x80;
constexpr int kContinuation = 0;
constexpr int kText = 1;
constexpr int kBinary = 2;
constexpr int kClose = 8;
constexpr int kPing = 9;

enum class Mask { kNo, kYes };

std::string frame(int first, std::string_view payload, Mask mask = Mask::kNo) {
  const int bit = mask == Mask::kYes ? 0x80 : 0;
  std::string out(1, static_cast<char>(first));
  const std::size_t n = payload.size();
  if (n < 126) {
    out += static_cast<char>(bit | static_cast<int>(n));
  } else if (n < 65'536) {
    out += static_cast<char>(bit | 126);
    out += static_cast<char>(n >> 8);
    out += static_cast<char>(n);
  } else {
    out += static_cast<char>(bit | 127);
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(n >> shift);
  }
  if (mask == Mask::kNo) return out.append(payload);
  const std::string key = "\x11\x22\x33\x44";
  out += key;
  for (std::size_t i = 0; i < n; ++i) out += static_cast<char>(payload[i] ^ key[i % 4]);
  return out;
}

struct Seen {
  std::string error;
  WebSocketCounts counts;
  std::optional<WebSocketClose> close;
  std::vector<WebSocketText> texts;
  bool is_between = false;
};

Seen look(WebSocketSender sender, const std::string& bytes, const WebSocketLimits& limits = {},
          WebSocketDeflate deflate = WebSocketDeflate::kOff) {
  Seen first;
  for (const std::size_t step : {bytes.size(), std::size_t{1}, std::size_t{3}}) {
    WebSocketFrames frames(sender, deflate, limits);
    Seen seen;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      if (auto r = frames.take(std::string_view(bytes).substr(at, step)); !r) {
        seen.error = r.error().detail;
        CHECK(r.error().code == leash::base::Code::kBadWebSocketFrame);
        CHECK_FALSE(frames.take("x"));
        break;
      }
    }
    seen.counts = frames.counts();
    seen.close = frames.close();
    seen.texts = frames.take_texts();
    seen.is_between = frames.is_between_messages();
    if (step == bytes.size()) {
      first = seen;
      continue;
    }
    CHECK(seen.error == first.error);
    CHECK(seen.counts.frames == first.counts.frames);
    CHECK(seen.counts.messages == first.counts.messages);
    CHECK(seen.counts.payload_bytes == first.counts.payload_bytes);
    CHECK(seen.texts.size() == first.texts.size());
    CHECK(seen.is_between == first.is_between);
  }
  return first;
}

Seen of_origin(const std::string& bytes, const WebSocketLimits& limits = {}) {
  return look(WebSocketSender::kOrigin, bytes, limits);
}
Seen of_client(const std::string& bytes, const WebSocketLimits& limits = {}) {
  return look(WebSocketSender::kClient, bytes, limits);
}

}  // namespace

TEST_CASE("messages, frames and bytes are counted") {
  const Seen seen = of_origin(frame(kFin | kText, "hello") + frame(kFin | kPing, "p") +
                              frame(kBinary, std::string(200, 'x')) +
                              frame(kFin | kContinuation, std::string(70'000, 'y')));
  CHECK(seen.error.empty());
  CHECK(seen.counts.messages == 2);
  CHECK(seen.counts.frames == 4);
  CHECK(seen.counts.control_frames == 1);
  CHECK(seen.counts.payload_bytes == 5 + 200 + 70'000);
  CHECK(seen.is_between);
}

TEST_CASE("client frames must be masked, the origin's must not") {
  CHECK(of_client(frame(kFin | kText, "a")).error == "unmasked frame of the client");
  CHECK(of_origin(frame(kFin | kText, "a", Mask::kYes)).error == "masked frame of the origin");
  CHECK(of_client(frame(kFin | kText, "a", Mask::kYes)).error.empty());
  CHECK(of_client(frame(kFin | kText, "", Mask::kYes)).counts.messages == 1);
}

TEST_CASE("control frames are short and whole, and may stand within a message") {
  CHECK(of_origin(frame(kPing, "a")).error == "control frame in pieces");
  CHECK(of_origin(frame(kFin | kPing, std::string(126, 'a'))).error ==
        "control frame over 125 bytes");
  const Seen seen = of_origin(frame(kText, "a") + frame(kFin | kPing, std::string(125, 'p')) +
                              frame(kFin | kContinuation, "b"));
  CHECK(seen.error.empty());
  CHECK(seen.counts.messages == 1);
}

TEST_CASE("pieces of messages keep their order") {
  CHECK(of_origin(frame(kFin | kContinuation, "a")).error == "continuation of nothing");
  CHECK(of_origin(frame(kText, "a") + frame(kFin | kText, "b")).error ==
        "message within a message");
  CHECK_FALSE(of_origin(frame(kText, "a")).is_between);
}

TEST_CASE("reserved bits and opcodes are refused") {
  CHECK(of_origin(frame(kFin | 0x40 | kText, "a")).error == "reserved bits");
  CHECK(of_origin(frame(kFin | 0x20 | kText, "a")).error == "reserved bits");
  CHECK(of_origin(frame(kFin | 0x10 | kText, "a")).error == "reserved bits");
  for (const int opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
    CHECK(of_origin(frame(kFin | opcode, "a")).error == "reserved opcode");
  }
}

TEST_CASE("compressed messages pass where compression was agreed on, and are not kept") {
  WebSocketLimits limits;
  limits.capture_bytes = 100;
  const std::string bytes = frame(0x40 | kText, "zip") + frame(kFin | kContinuation, "zap");
  const Seen seen = look(WebSocketSender::kOrigin, bytes, limits, WebSocketDeflate::kOn);
  CHECK(seen.error.empty());
  CHECK(seen.counts.messages == 1);
  CHECK(seen.texts.empty());
  CHECK(look(WebSocketSender::kOrigin, frame(kText, "a") + frame(kFin | 0x40, "b"), limits,
             WebSocketDeflate::kOn)
            .error == "reserved bits");
  CHECK(
      look(WebSocketSender::kOrigin, frame(kFin | 0x40 | kPing, "b"), limits, WebSocketDeflate::kOn)
          .error == "reserved bits");
}

TEST_CASE("lengths must be in their shortest form and below 2^63") {
  CHECK(of_origin(std::string("\x81\x7e\x00\x7d", 4)).error == "length not in its shortest form");
  CHECK(of_origin(std::string("\x81\x7f\0\0\0\0\0\0\xff\xff", 10)).error ==
        "length not in its shortest form");
  CHECK(of_origin("\x81\x7f" + std::string(8, '\xff')).error == "length");
  CHECK(of_origin("\x81\x7f\x7f" + std::string(7, '\xff')).error == "frame too large");
}

TEST_CASE("frames, messages and their pieces are bounded") {
  WebSocketLimits limits;
  limits.frame_bytes = 10;
  limits.message_bytes = 15;
  limits.fragments = 3;
  CHECK(of_origin(frame(kFin | kText, "0123456789a"), limits).error == "frame too large");
  CHECK(of_origin(frame(kText, "0123456789") + frame(kFin, "012345"), limits).error ==
        "message too large");
  CHECK(of_origin(frame(kText, "") + frame(0, "") + frame(0, "") + frame(kFin, ""), limits).error ==
        "message in too many pieces");
  CHECK(
      of_origin(frame(kText, "") + frame(0, "") + frame(kFin, "") + frame(kFin | kText, ""), limits)
          .error.empty());
}

TEST_CASE("a close gives its code and reason, and is the last frame") {
  const Seen bare = of_origin(frame(kFin | kClose, ""));
  REQUIRE(bare.close);
  CHECK(bare.close->code == 1005);
  const Seen seen = of_client(frame(kFin | kClose,
                                    "\x03\xe8"
                                    "bye",
                                    Mask::kYes));
  REQUIRE(seen.close);
  CHECK(seen.close->code == 1000);
  CHECK(seen.close->reason == "bye");
  CHECK(of_origin(frame(kFin | kClose, "") + frame(kFin | kText, "a")).error ==
        "frame after close");
}

TEST_CASE("a close with a bad payload is refused") {
  CHECK(of_origin(frame(kFin | kClose, "\x03")).error == "close of one byte");
  CHECK(of_origin(frame(kFin | kClose, "\x03\xed")).error == "close code");
  CHECK(of_origin(frame(kFin | kClose, std::string("\0\0", 2))).error == "close code");
  CHECK(of_origin(frame(kFin | kClose, "\x13\x88")).error == "close code");
  CHECK(of_origin(frame(kFin | kClose, "\x0f\xa0")).error.empty());
  CHECK(of_origin(frame(kFin | kClose, "\x03\xe8\xff")).error == "close reason is not UTF-8");
}

TEST_CASE("text messages are kept unmasked, up to the limit") {
  WebSocketLimits limits;
  limits.capture_bytes = 12;
  const Seen seen = of_client(frame(kText, "hel", Mask::kYes) + frame(kFin, "lo", Mask::kYes) +
                                  frame(kFin | kBinary, "binary", Mask::kYes) +
                                  frame(kFin | kText, "second one", Mask::kYes) +
                                  frame(kFin | kText, "third", Mask::kYes),
                              limits);
  CHECK(seen.error.empty());
  REQUIRE(seen.texts.size() == 2);
  CHECK(seen.texts[0].text == "hello");
  CHECK_FALSE(seen.texts[0].is_cut);
  CHECK(seen.texts[1].text == "second ");
  CHECK(seen.texts[1].is_cut);
}

TEST_CASE("a text without memory for it is known to be cut, and the next is kept again") {
  WebSocketLimits limits;
  limits.capture_bytes = 100;
  WebSocketFrames frames(WebSocketSender::kOrigin, WebSocketDeflate::kOff, limits);
  REQUIRE(frames.take(frame(kText, "begun")));
  CHECK(frames.kept_bytes() == 5);
  frames.set_may_keep(false);
  REQUIRE(frames.take(frame(kFin, " and cut") + frame(kFin | kText, "never")));
  frames.set_may_keep(true);
  REQUIRE(frames.take(frame(kFin | kText, "kept")));
  CHECK(frames.kept_bytes() == 0);
  const auto texts = frames.take_texts();
  REQUIRE(texts.size() == 3);
  CHECK(texts[0].text == "begun");
  CHECK(texts[0].is_cut);
  CHECK(texts[1].text.empty());
  CHECK(texts[1].is_cut);
  CHECK(texts[2].text == "kept");
  CHECK_FALSE(texts[2].is_cut);
}

TEST_CASE("a tiny text counts as a larger one") {
  WebSocketLimits limits;
  limits.capture_bytes = 25;
  limits.capture_least = 10;
  std::string bytes;
  for (int i = 0; i < 100; ++i) bytes += frame(kFin | kText, "x");
  CHECK(of_origin(bytes, limits).texts.size() == 3);
}

TEST_CASE("a flood of tiny frames costs counters only") {
  WebSocketFrames frames(WebSocketSender::kOrigin, WebSocketDeflate::kOff, {});
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes += frame(kFin | kText, "");
  for (int i = 0; i < 1000; ++i) CHECK(frames.take(bytes));
  CHECK(frames.counts().messages == 1'000'000);
}
