// A set of small numbers as bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace leash::console {

class IdSet {
 public:
  void add(std::uint32_t id) {
    const std::size_t word = id / 64;
    if (word >= words_.size()) words_.resize(word + 1 + word / 2);
    const std::uint64_t bit = std::uint64_t{1} << (id % 64);
    count_ += (words_[word] & bit) == 0 ? 1 : 0;
    words_[word] |= bit;
  }
  void remove(std::uint32_t id) {
    const std::size_t word = id / 64;
    if (word >= words_.size()) return;
    const std::uint64_t bit = std::uint64_t{1} << (id % 64);
    count_ -= (words_[word] & bit) != 0 ? 1 : 0;
    words_[word] &= ~bit;
  }
  [[nodiscard]] bool has(std::uint32_t id) const {
    const std::size_t word = id / 64;
    return word < words_.size() && (words_[word] >> (id % 64) & 1) != 0;
  }
  [[nodiscard]] std::size_t size() const { return count_; }

 private:
  std::vector<std::uint64_t> words_;
  std::size_t count_ = 0;
};

}  // namespace leash::console
