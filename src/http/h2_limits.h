// What one HTTP/2 connection may cost us, whoever is at the other end.
#pragma once

#include <cstddef>
#include <cstdint>

namespace leash::http {

struct H2Limits {
  std::uint32_t streams = 128;  // open at once
  // Of one header list, counted as RFC 9113 s. 6.5.2 does: names, values and 32 bytes for each
  // field.
  std::size_t head_bytes = 64 * 1024;
  std::size_t fields = 128;  // without pseudo-fields; the crumbs of a cookie are one
  // RST_STREAM frames of the peer, and those its errors draw from us (CVE-2023-44487,
  // CVE-2025-8671).
  double resets_per_second = 200;
  // Flow control of what we receive. A stream whose bytes are consumed grows from the first to the
  // second; all of them together stay within the connection's, so a stalled one never holds
  // another.
  std::size_t stream_window_bytes = 64 * 1024;
  std::size_t stream_window_max_bytes = 1024 * 1024;
  std::size_t connection_window_bytes = 16 * 1024 * 1024;
  // No more is serialised while output() holds this much.
  std::size_t output_bytes = 64 * 1024;
  // on_sendable comes when a stream's queue falls to this. Not above any mark at which somebody
  // stops to send, or he waits for ever.
  std::size_t low_mark_bytes = 16 * 1024;
};

}  // namespace leash::http
