// Texts of the log as numbers: each is stored once, rows hold the number.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "console/block.h"
#include "console/database.h"
#include "console/text_chunk.h"

namespace leash::console {

// Both belong to the one writer, whose transaction they write in; memory is bounded.

// Each name has one number.
class NameWriter {
 public:
  explicit NameWriter(Database& database);
  [[nodiscard]] NameId id_of(std::string_view name);  // 0 for ""
  // After a transaction that was not committed.
  void forget() { known_.clear(); }

 private:
  static constexpr std::size_t kMostKnown = 100'000;
  static constexpr std::size_t kMostBytes = 1'024;  // of a name; the rest is cut off
  Database& database_;
  Statement find_;
  Statement insert_;
  std::unordered_map<std::string, NameId> known_;
};

// A text that has not come for a while gets a second number: to look for it on disk would cost
// more than to store it again. Those that fill a chunk are stored in it besides, to be searched.
class TextWriter {
 public:
  explicit TextWriter(Database& database);
  [[nodiscard]] TextId id_of(std::string_view text);  // 0 for ""

 private:
  static constexpr std::size_t kRemembered = 32'000;  // in each of two generations
  static constexpr std::size_t kMostBytes = 8'192;
  void write_chunk();
  Statement insert_;
  Statement insert_chunk_;
  TextId last_ = 0;
  TextChunkBuilder chunk_;  // of those behind the last chunk that is stored
  std::unordered_map<std::string, TextId> young_;
  std::unordered_map<std::string, TextId> old_;
};

}  // namespace leash::console
