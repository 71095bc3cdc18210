// The kinds of events as one byte, and what of a line a filter looks at as bits.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace leash::console {

// The order is that of the index on disk: new ones come at the end, and raise its version.
enum class EventKind : std::uint8_t {
  kOther,  // a word that this program does not know
  kConnectAllowed,
  kRequest,
  kAllowed,
  kBlocked,
  kError,
  kTunnelClosed,
  kWebsocketMessage,
  kWebsocketClosed,
  kModeChange,
  kPolicyChange,
  kPolicyError,
  kStart,
  kStop,
  kCheckpoint,
};
inline constexpr std::size_t kEventKinds = 15;

[[nodiscard]] std::string_view word(EventKind kind);  // "" for kOther
[[nodiscard]] std::optional<EventKind> parse_event_kind(std::string_view word);

// Bit n stands for kind n.
using EventMask = std::uint32_t;
[[nodiscard]] constexpr EventMask mask_of(EventKind kind) {
  return EventMask{1} << static_cast<unsigned>(kind);
}
inline constexpr EventMask kAllEvents = (EventMask{1} << kEventKinds) - 1;
// What a list shows unasked: no intents (their outcomes follow), no signatures.
inline constexpr EventMask kShownEvents =
    kAllEvents & ~(mask_of(EventKind::kRequest) | mask_of(EventKind::kConnectAllowed) |
                   mask_of(EventKind::kCheckpoint));

enum RowFlag : std::uint8_t {
  kWouldBlock = 1,
  kSpliced = 2,
  kNameMismatch = 4,
  kLocalPlace = 8,  // the host is no place on the internet
  kTruncated = 16,  // a body was cut
  kHasStatus = 32,
};

}  // namespace leash::console
