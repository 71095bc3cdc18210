#include "console/dictionary.h"

#include <utility>

#include "console/checked_bytes.h"

namespace leash::console {

NameWriter::NameWriter(Database& database)
    : database_(database),
      find_(database.prepare("SELECT id FROM name WHERE value = ?")),
      insert_(database.prepare("INSERT INTO name (value) VALUES (?)")) {}

NameId NameWriter::id_of(std::string_view name) {
  if (name.empty()) return 0;
  std::string key(name.substr(0, kMostBytes));
  if (const auto found = known_.find(key); found != known_.end()) return found->second;
  NameId id = 0;
  find_.bind_blob(1, key);
  if (find_.step()) id = static_cast<NameId>(find_.integer(0));
  find_.reset();
  if (id == 0) {
    insert_.bind_blob(1, key).run();
    id = static_cast<NameId>(database_.last_rowid());
  }
  // A hostile agent may ask for any number of names.
  if (known_.size() >= kMostKnown) known_.clear();
  known_.emplace(std::move(key), id);
  return id;
}

TextWriter::TextWriter(Database& database)
    : insert_(database.prepare("INSERT INTO text (id, value) VALUES (?, ?)")),
      insert_chunk_(
          database.prepare("INSERT INTO text_chunk (first, last, bytes) VALUES (?, ?, ?)")) {
  Statement chunk = database.prepare("SELECT last FROM text_chunk ORDER BY first DESC LIMIT 1");
  if (chunk.step()) last_ = static_cast<TextId>(chunk.integer(0));
  Statement rest = database.prepare("SELECT id, value FROM text WHERE id > ? ORDER BY id");
  rest.bind(1, last_);
  while (rest.step()) {
    last_ = static_cast<TextId>(rest.integer(0));
    chunk_.add(last_, rest.bytes(1));
  }
}

void TextWriter::write_chunk() {
  std::string bytes = chunk_.bytes();
  append_check(bytes);
  insert_chunk_.bind(1, chunk_.first()).bind(2, chunk_.last()).bind_blob(3, bytes).run();
  chunk_.clear();
}

TextId TextWriter::id_of(std::string_view text) {
  if (text.empty()) return 0;
  std::string key(text.substr(0, kMostBytes));
  if (const auto found = young_.find(key); found != young_.end()) return found->second;
  TextId id = 0;
  if (const auto found = old_.find(key); found != old_.end()) {
    id = found->second;
  } else {
    id = ++last_;
    insert_.bind(1, id).bind_blob(2, key).run();
    chunk_.add(id, key);
    if (chunk_.is_full()) write_chunk();
  }
  if (young_.size() >= kRemembered) {
    old_ = std::move(young_);
    young_ = {};
  }
  young_.emplace(std::move(key), id);
  return id;
}

}  // namespace leash::console
