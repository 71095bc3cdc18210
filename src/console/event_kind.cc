#include "console/event_kind.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace leash::console {
namespace {

constexpr std::array<std::string_view, kEventKinds> kWords = {"",
                                                              "connect_allowed",
                                                              "request",
                                                              "allowed",
                                                              "blocked",
                                                              "error",
                                                              "tunnel_closed",
                                                              "websocket_message",
                                                              "websocket_closed",
                                                              "mode_change",
                                                              "policy_change",
                                                              "policy_error",
                                                              "start",
                                                              "stop",
                                                              "checkpoint"};

}  // namespace

std::string_view word(EventKind kind) { return kWords[static_cast<std::size_t>(kind)]; }

std::optional<EventKind> parse_event_kind(std::string_view word) {
  if (word.empty()) return std::nullopt;
  const auto found = std::find(kWords.begin(), kWords.end(), word);
  if (found == kWords.end()) return std::nullopt;
  return static_cast<EventKind>(std::distance(kWords.begin(), found));
}

}  // namespace leash::console
