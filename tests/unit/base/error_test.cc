#include "base/error.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

namespace leash::base {

TEST_CASE("each code has a word of its own") {
  std::set<std::string_view> words;
  for (int code = 0; code <= static_cast<int>(Code::kInternal); ++code) {
    words.insert(word(static_cast<Code>(code)));
  }
  CHECK(words.size() == static_cast<std::size_t>(Code::kInternal) + 1);
}

TEST_CASE("an error's text is its word and what detail there is") {
  CHECK(Error{Code::kBadPort, Fault::kClient, {}}.text() == "bad_port");
  CHECK(Error{Code::kIo, Fault::kProxy, "disk full"}.text() == "io: disk full");
}

}  // namespace leash::base
