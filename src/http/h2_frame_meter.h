// Counts the frames of one direction of an HTTP/2 connection, so that cheap frames cannot cost us
// much.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.h"

namespace leash::http {

// `burst` at once, then `rate` a second.
class TokenBucket {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  TokenBucket(double rate, double burst) : rate_(rate), burst_(burst), tokens_(burst) {}
  // False: none left.
  [[nodiscard]] bool take(TimePoint now);
  void give(double tokens);

 private:
  double rate_;
  double burst_;
  double tokens_;
  std::optional<TimePoint> last_;
};

// Reads frame headers only, ahead of nghttp2, because nghttp2 reports no frame that it ignores.
// What is judged: resets, SETTINGS, PING, PRIORITY, empty DATA, WINDOW_UPDATE, unknown frames
// (CVE-2019-9511 to 9518) and CONTINUATION frames of one header block (CVE-2024-28182).
class FrameMeter {
 public:
  using TimePoint = TokenBucket::TimePoint;
  enum class Preface { kExpected, kNone };  // a client's first 24 bytes (RFC 9113 s. 3.4)
  // Which of the peer's RST_STREAM frames count as resets. A server may end each stream with one
  // behind its whole response (RFC 9113 s. 8.1; Node does): there only those that break off count,
  // and whoever knows which those are calls reset_broke_off().
  enum class Resets { kAll, kBreakingOff };

  FrameMeter(Preface preface, Resets counted, base::Fault fault, double resets_per_second);

  // How many of `bytes`, from the front, may go on; less than all: breach() says why.
  [[nodiscard]] std::size_t take(std::string_view bytes, TimePoint now);
  // A DATA frame went out: the peer may answer it with WINDOW_UPDATE frames.
  void data_frame_sent() { window_updates_.give(4); }
  // The peer's error made us reset a stream.
  void reset_provoked(TimePoint now);
  // The peer has reset a stream whose message was not whole. For kBreakingOff only.
  void reset_broke_off(TimePoint now);
  // http2_flood with the name of the limit, once one has bitten.
  [[nodiscard]] const std::optional<base::Error>& breach() const { return breach_; }

 private:
  void on_frame(std::size_t pad_bytes, TimePoint now);
  void spend(TokenBucket& bucket, const char* what, TimePoint now);

  base::Fault fault_;
  Resets counted_;
  TokenBucket resets_;
  TokenBucket harmless_resets_{20'000, 20'000};
  TokenBucket settings_{20, 100};
  TokenBucket pings_{1000, 1000};  // gRPC measures bandwidth with them
  TokenBucket priorities_{200, 1000};
  TokenBucket empty_data_{200, 1000};
  TokenBucket window_updates_{2000, 4000};
  TokenBucket others_{200, 1000};
  int continuations_ = 0;

  std::array<std::uint8_t, 9> head_{};
  std::size_t head_bytes_ = 0;  // of head_
  std::size_t skip_bytes_ = 0;  // payload, or preface, not yet seen
  bool wants_pad_length_ = false;
  std::optional<base::Error> breach_;
};

}  // namespace leash::http
