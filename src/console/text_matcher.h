// Which URLs and reasons hold what is searched for.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "console/block.h"
#include "console/database.h"
#include "console/id_set.h"

namespace leash::console {

// The texts that hold a word.
struct FoundTexts {
  IdSet ids;
  TextId newest = 0;  // what came later has not been looked at
};

// What was searched for last, since a page asks for list and sums, and again as somebody types or
// scrolls. Thread-safe.
class SearchCache {
 public:
  [[nodiscard]] std::shared_ptr<const FoundTexts> find(const std::string& word,
                                                       std::uint64_t generation);
  void keep(const std::string& word, std::uint64_t generation,
            std::shared_ptr<const FoundTexts> found);

 private:
  static constexpr std::size_t kMost = 12;
  struct Entry {
    std::string word;
    std::uint64_t generation;
    std::shared_ptr<const FoundTexts> found;
  };
  std::mutex mutex_;
  std::list<Entry> entries_;  // the last used first
};

// One query's.
class TextMatcher {
 public:
  // `word` in search_form, not empty.
  TextMatcher(Database& database, SearchCache& cache, std::uint64_t generation, std::string word);

  // A word that is everywhere is found quickest by looking at the texts one by one; only where that
  // does not end soon all of them are read.
  [[nodiscard]] bool matches(TextId id);
  // For a query that will look at all rows anyway.
  void search_all();

 private:
  [[nodiscard]] bool look_at(TextId id);

  static constexpr std::size_t kLooksBeforeSearch = 4'000;

  Database& database_;
  SearchCache& cache_;
  std::uint64_t generation_;
  std::string word_;
  Statement text_;
  std::shared_ptr<const FoundTexts> found_;
  std::unordered_map<TextId, bool> looked_at_;
};

}  // namespace leash::console
