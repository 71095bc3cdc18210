// Consecutive texts of the index in the form that is searched, one behind the other: a search reads
// them at the speed of memory.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "console/block.h"

namespace leash::console {

class TextChunkBuilder {
 public:
  // `text` as it is stored; ids are consecutive.
  void add(TextId id, std::string_view text);
  [[nodiscard]] bool is_full() const { return texts_.size() >= kFullBytes; }
  void clear();

  [[nodiscard]] TextId first() const { return first_; }
  [[nodiscard]] TextId last() const { return first_ + static_cast<TextId>(ends_.size()) - 1; }
  [[nodiscard]] std::string bytes() const;

 private:
  static constexpr std::size_t kFullBytes = std::size_t{128} * 1024;
  TextId first_ = 0;
  std::vector<std::uint32_t> ends_;
  std::string texts_;
};

// The bytes of one, in place. Empty where they are not what they should be.
class TextChunk {
 public:
  explicit TextChunk(std::string_view bytes);
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::string_view texts() const { return texts_; }
  // Where the text's separator is.
  [[nodiscard]] std::size_t end_of(std::size_t text) const;

 private:
  std::size_t size_ = 0;
  const char* ends_ = nullptr;
  std::string_view texts_;
};

// Looks for one word.
class WordFinder {
 public:
  // In search_form, not empty: such a word holds no separator of texts.
  explicit WordFinder(std::string word) : word_(std::move(word)) {}
  // Tells which texts of the chunk hold it, each once, in order.
  void find(const TextChunk& chunk, const std::function<void(std::size_t text)>& on_text);

 private:
  void choose_byte(std::string_view sample);
  [[nodiscard]] std::size_t next(std::string_view texts, std::size_t from) const;

  std::string word_;
  std::size_t rare_ = 0;  // which of its bytes is looked for first
  bool has_chosen_ = false;
};

}  // namespace leash::console
