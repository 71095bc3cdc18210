#include "base/message_text.h"

namespace leash::base {

std::string quoted(std::string_view text) {
  constexpr std::size_t kMost = 80;
  std::string_view shown = text.substr(0, kMost);
  while (shown.size() < text.size() && !shown.empty() &&
         (static_cast<unsigned char>(text[shown.size()]) & 0xc0) == 0x80) {
    shown.remove_suffix(1);
  }
  std::string out("'");
  for (const char c : shown) {
    const auto byte = static_cast<unsigned char>(c);
    out.push_back(byte < 0x20 || byte == 0x7f ? '?' : c);
  }
  return out.append(shown.size() < text.size() ? "...'" : "'");
}

std::string counted(std::uint64_t count, const char* noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace leash::base
