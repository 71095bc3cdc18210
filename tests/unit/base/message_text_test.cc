#include "base/message_text.h"

#include <doctest/doctest.h>

namespace leash::base {

TEST_CASE("what is quoted is short and fit for a terminal") {
  CHECK(quoted("") == "''");
  CHECK(quoted("a\x1b[2J\nb\x7f") == "'a?[2J?b?'");
  CHECK(quoted(std::string(80, 'x')) == "'" + std::string(80, 'x') + "'");
  CHECK(quoted(std::string(81, 'x')) == "'" + std::string(80, 'x') + "...'");
  // No half of a character at the cut.
  CHECK(quoted(std::string(79, 'x') + "\xc3\xa4\xc3\xa4") == "'" + std::string(79, 'x') + "...'");
}

TEST_CASE("a count and its noun agree") {
  CHECK(counted(0, "line") == "0 lines");
  CHECK(counted(1, "line") == "1 line");
  CHECK(counted(2, "line") == "2 lines");
}

}  // namespace leash::base
