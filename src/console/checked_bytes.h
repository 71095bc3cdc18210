// Blobs of the index with a sum behind them: SQLite notices damage to its own structure, not to
// what it keeps.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace leash::console {

// Against disks and hands, not against people. Four lanes: as fast as memory is read. A change of
// any one word changes it for certain, since each step can be turned back.
[[nodiscard]] inline std::uint64_t check_sum(std::string_view bytes) {
  constexpr std::uint64_t kOdd = 0x9e37'79b9'7f4a'7c15U;
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  std::array<std::uint64_t, 4> lanes{1, 2, 3, bytes.size()};
  const auto mix = [](std::uint64_t lane, std::uint64_t word) { return (lane ^ word) * kOdd; };
  std::size_t at = 0;
  for (; at + lanes.size() * kWord <= bytes.size(); at += lanes.size() * kWord) {
    std::array<std::uint64_t, 4> words{};
    std::memcpy(words.data(), bytes.data() + at, sizeof words);
    for (std::size_t i = 0; i < lanes.size(); ++i) lanes[i] = mix(lanes[i], words[i]);
  }
  for (; at < bytes.size(); ++at) lanes[0] = mix(lanes[0], static_cast<unsigned char>(bytes[at]));
  std::uint64_t out = 0;
  for (const std::uint64_t lane : lanes) out = mix(out ^ (out >> 32U), lane);
  return out;
}

inline void append_check(std::string& bytes) {
  const std::uint64_t sum = check_sum(bytes);
  bytes.append(reinterpret_cast<const char*>(&sum), sizeof sum);
}

// What was there before append_check; nothing where it is not as it was.
[[nodiscard]] inline std::optional<std::string_view> checked(std::string_view bytes) {
  std::uint64_t sum = 0;
  if (bytes.size() < sizeof sum) return std::nullopt;
  std::memcpy(&sum, bytes.data() + bytes.size() - sizeof sum, sizeof sum);
  bytes.remove_suffix(sizeof sum);
  if (check_sum(bytes) != sum) return std::nullopt;
  return bytes;
}

}  // namespace leash::console
