#include "console/text_chunk.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "console/search_text.h"

namespace leash::console {
namespace {

// search_form leaves no control character in a text.
constexpr char kSeparator = '\n';

}  // namespace

void TextChunkBuilder::add(TextId id, std::string_view text) {
  if (ends_.empty()) first_ = id;
  texts_ += search_form(text);
  ends_.push_back(static_cast<std::uint32_t>(texts_.size()));
  texts_ += kSeparator;
}

void TextChunkBuilder::clear() {
  ends_.clear();
  texts_.clear();
}

// How many texts, where each ends, the texts.
std::string TextChunkBuilder::bytes() const {
  const auto count = static_cast<std::uint32_t>(ends_.size());
  std::string out;
  out.reserve(sizeof count * (1 + ends_.size()) + texts_.size());
  out.append(reinterpret_cast<const char*>(&count), sizeof count);
  out.append(reinterpret_cast<const char*>(ends_.data()), sizeof count * ends_.size());
  return out + texts_;
}

TextChunk::TextChunk(std::string_view bytes) {
  std::uint32_t count = 0;
  if (bytes.size() < sizeof count) return;
  std::memcpy(&count, bytes.data(), sizeof count);
  bytes.remove_prefix(sizeof count);
  if (bytes.size() / sizeof count < count) return;
  size_ = count;
  ends_ = bytes.data();
  texts_ = bytes.substr(sizeof count * size_);
}

std::size_t TextChunk::end_of(std::size_t text) const {
  std::uint32_t end = 0;
  std::memcpy(&end, ends_ + text * sizeof end, sizeof end);
  return end;
}

// memchr is an order of magnitude faster than any search for more than one byte, as long as it
// rarely stops: so it looks for the byte of the word that is the least frequent in these texts.
void WordFinder::choose_byte(std::string_view sample) {
  std::array<std::uint32_t, 256> counts{};
  for (const char c : sample) ++counts[static_cast<unsigned char>(c)];
  const auto count = [&counts](char c) { return counts[static_cast<unsigned char>(c)]; };
  const auto rarest = std::min_element(word_.begin(), word_.end(),
                                       [&count](char a, char b) { return count(a) < count(b); });
  rare_ = static_cast<std::size_t>(rarest - word_.begin());
  has_chosen_ = true;
}

std::size_t WordFinder::next(std::string_view texts, std::size_t from) const {
  const std::size_t behind = word_.size() - rare_;  // of the rare byte on
  std::size_t at = from + rare_;
  while (at + behind <= texts.size()) {
    const std::size_t room = texts.size() - behind + 1 - at;
    const void* hit = std::memchr(texts.data() + at, word_[rare_], room);
    if (hit == nullptr) return std::string_view::npos;
    at = static_cast<std::size_t>(static_cast<const char*>(hit) - texts.data());
    if (std::memcmp(texts.data() + at - rare_, word_.data(), word_.size()) == 0) return at - rare_;
    ++at;
  }
  return std::string_view::npos;
}

void WordFinder::find(const TextChunk& chunk,
                      const std::function<void(std::size_t text)>& on_text) {
  const std::string_view texts = chunk.texts();
  if (!has_chosen_) choose_byte(texts);
  std::size_t text = 0;
  for (std::size_t from = 0;;) {
    const std::size_t found = next(texts, from);
    if (found == std::string_view::npos) return;
    while (text < chunk.size() && chunk.end_of(text) <= found) ++text;
    if (text == chunk.size()) return;
    on_text(text);
    // One word is enough; the rest of its text is not looked at. Never back, whatever the ends say.
    from = std::max(found + 1, chunk.end_of(text) + 1);
    ++text;
  }
}

}  // namespace leash::console
