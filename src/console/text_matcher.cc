#include "console/text_matcher.h"

#include <algorithm>

#include "console/checked_bytes.h"
#include "console/search_text.h"
#include "console/text_chunk.h"

namespace leash::console {

std::shared_ptr<const FoundTexts> SearchCache::find(const std::string& word,
                                                    std::uint64_t generation) {
  const std::scoped_lock lock(mutex_);
  const auto entry = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& each) {
    return each.word == word && each.generation == generation;
  });
  if (entry == entries_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, entry);
  return entries_.front().found;
}

void SearchCache::keep(const std::string& word, std::uint64_t generation,
                       std::shared_ptr<const FoundTexts> found) {
  const std::scoped_lock lock(mutex_);
  entries_.remove_if(
      [&](const Entry& each) { return each.word == word || each.generation != generation; });
  entries_.push_front({word, generation, std::move(found)});
  if (entries_.size() > kMost) entries_.pop_back();
}

TextMatcher::TextMatcher(Database& database, SearchCache& cache, std::uint64_t generation,
                         std::string word)
    : database_(database),
      cache_(cache),
      generation_(generation),
      word_(std::move(word)),
      text_(database.prepare("SELECT value FROM text WHERE id = ?")),
      found_(cache.find(word_, generation)) {}

bool TextMatcher::look_at(TextId id) {
  if (const auto known = looked_at_.find(id); known != looked_at_.end()) return known->second;
  text_.bind(1, id);
  const bool is_match =
      text_.step() && search_form(text_.bytes(0)).find(word_) != std::string::npos;
  text_.reset();
  looked_at_.emplace(id, is_match);
  return is_match;
}

bool TextMatcher::matches(TextId id) {
  if (id == 0) return false;
  if (!found_ && looked_at_.size() >= kLooksBeforeSearch) search_all();
  if (!found_ || id > found_->newest) return look_at(id);
  return found_->ids.has(id);
}

void TextMatcher::search_all() {
  // What an earlier search has read is not read again.
  auto found = found_ ? std::make_shared<FoundTexts>(*found_) : std::make_shared<FoundTexts>();
  const TextId before = found->newest;
  WordFinder finder(word_);
  Statement chunks =
      database_.prepare("SELECT first, last, bytes FROM text_chunk WHERE first > ? ORDER BY first");
  chunks.bind(1, before);
  while (!database_.is_past_deadline() && chunks.step()) {
    const auto first = static_cast<TextId>(chunks.integer(0));
    const auto bytes = checked(chunks.bytes(2));
    if (!bytes) {
      database_.note_damage("texts are not as they were written");
      return;
    }
    finder.find(TextChunk(*bytes), [&found, first](std::size_t text) {
      found->ids.add(first + static_cast<TextId>(text));
    });
    found->newest = static_cast<TextId>(chunks.integer(1));
  }
  // Of a search that ran out of time, what it has found is of use to the next.
  if (database_.error() || (found_ && found->newest == before)) return;
  found_ = found;
  cache_.keep(word_, generation_, found_);
}

}  // namespace leash::console
