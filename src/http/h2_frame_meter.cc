#include "http/h2_frame_meter.h"

#include <algorithm>

namespace leash::http {
namespace {

constexpr std::size_t kPrefaceBytes = 24;
// 64 KiB of header list fit into five frames of the least size that a peer must use.
constexpr int kMaxContinuations = 8;

// RFC 9113 s. 6, RFC 9218 s. 7.1.
enum FrameType : std::uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPing = 6,
  kWindowUpdate = 8,
  kContinuation = 9,
  kPriorityUpdate = 16,
};
constexpr std::uint8_t kEndStream = 0x1;
constexpr std::uint8_t kPadded = 0x8;

}  // namespace

bool TokenBucket::take(TimePoint now) {
  if (last_ && now > *last_) {
    const std::chrono::duration<double> gone = now - *last_;
    give(gone.count() * rate_);
  }
  if (!last_ || now > *last_) last_ = now;
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

void TokenBucket::give(double tokens) { tokens_ = std::min(burst_, tokens_ + tokens); }

FrameMeter::FrameMeter(Preface preface, Resets counted, base::Fault fault, double resets_per_second)
    : fault_(fault),
      counted_(counted),
      resets_(resets_per_second, resets_per_second),
      skip_bytes_(preface == Preface::kExpected ? kPrefaceBytes : 0) {}

std::size_t FrameMeter::take(std::string_view bytes, TimePoint now) {
  std::size_t at = 0;
  while (at < bytes.size() && !breach_) {
    if (wants_pad_length_) {
      wants_pad_length_ = false;
      on_frame(static_cast<std::uint8_t>(bytes[at]) + std::size_t{1}, now);
      if (breach_) break;
      ++at;
      --skip_bytes_;
    } else if (skip_bytes_ > 0) {
      const std::size_t n = std::min(skip_bytes_, bytes.size() - at);
      at += n;
      skip_bytes_ -= n;
    } else {
      head_.at(head_bytes_) = static_cast<std::uint8_t>(bytes[at]);
      if (++head_bytes_ == head_.size()) {
        head_bytes_ = 0;
        skip_bytes_ = (std::size_t{head_[0]} << 16) | (std::size_t{head_[1]} << 8) | head_[2];
        const bool is_padded_data =
            head_[3] == kData && (head_[4] & kPadded) != 0 && skip_bytes_ > 0;
        if (is_padded_data) {
          wants_pad_length_ = true;
        } else {
          on_frame(0, now);
        }
        if (breach_) break;
      }
      ++at;
    }
  }
  return at;
}

void FrameMeter::reset_provoked(TimePoint now) { spend(resets_, "stream resets", now); }

void FrameMeter::reset_broke_off(TimePoint now) {
  if (counted_ == Resets::kBreakingOff) spend(resets_, "stream resets", now);
}

void FrameMeter::on_frame(std::size_t pad_bytes, TimePoint now) {
  switch (head_[3]) {
    case kData:
      if (skip_bytes_ <= pad_bytes && (head_[4] & kEndStream) == 0) {
        spend(empty_data_, "empty DATA frames", now);
      }
      return;
    case kHeaders:
      continuations_ = 0;
      return;
    case kContinuation:
      if (++continuations_ > kMaxContinuations) {
        breach_ = base::Error{base::Code::kHttp2Flood, fault_, "CONTINUATION frames"};
      }
      return;
    case kRstStream:
      return spend(counted_ == Resets::kAll ? resets_ : harmless_resets_, "stream resets", now);
    case kSettings:
      return spend(settings_, "SETTINGS frames", now);
    case kPing:
      return spend(pings_, "PING frames", now);
    case kPriority:
    case kPriorityUpdate:
      return spend(priorities_, "PRIORITY frames", now);
    case kWindowUpdate:
      return spend(window_updates_, "WINDOW_UPDATE frames", now);
    default:
      return spend(others_, "frames of other kinds", now);
  }
}

void FrameMeter::spend(TokenBucket& bucket, const char* what, TimePoint now) {
  if (!breach_ && !bucket.take(now)) {
    breach_ = base::Error{base::Code::kHttp2Flood, fault_, what};
  }
}

}  // namespace leash::http
