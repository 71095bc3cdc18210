#include "base/text.h"

#include <doctest/doctest.h>

#include <cerrno>

namespace leash::base {

TEST_CASE("case is ASCII case") {
  CHECK(lower("AbZ-\xc3\x84") == "abz-\xc3\x84");
  CHECK(equals_ignoring_case("Host", "hOST"));
  CHECK_FALSE(equals_ignoring_case("Host", "Hosts"));
  CHECK_FALSE(equals_ignoring_case("[", "{"));
}

TEST_CASE("trim takes blanks and line ends off both ends") {
  CHECK(trim(" \t\r\na b\n ") == "a b");
  CHECK(trim(" \t").empty());
  CHECK(trim("").empty());
}

TEST_CASE("a decimal is digits and nothing else, within its bound") {
  CHECK(parse_decimal("0") == 0);
  CHECK(parse_decimal("007") == 7);
  CHECK(parse_decimal("18446744073709551615") == UINT64_MAX);
  CHECK_FALSE(parse_decimal("18446744073709551616"));
  CHECK_FALSE(parse_decimal("99999999999999999999999"));
  CHECK_FALSE(parse_decimal(""));
  CHECK_FALSE(parse_decimal("+1"));
  CHECK_FALSE(parse_decimal("1 "));
  CHECK_FALSE(parse_decimal("11", 10));
  CHECK(parse_decimal("10", 10) == 10);
}

TEST_CASE("hex is two lower-case digits a byte") {
  std::string out = "x";
  append_hex(out, std::string_view("\0\xff", 2));
  CHECK(out == "x00ff");
}

TEST_CASE("UTF-8 has no surrogates, overlong forms or cut ends") {
  CHECK(is_utf8("a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80"));
  CHECK_FALSE(is_utf8("\xc0\xaf"));
  CHECK_FALSE(is_utf8("\xe0\x80\xaf"));
  CHECK_FALSE(is_utf8("\xed\xa0\x80"));
  CHECK_FALSE(is_utf8("\xf4\x90\x80\x80"));
  CHECK_FALSE(is_utf8("\xe2\x82"));
  CHECK_FALSE(is_utf8("\x80"));
}

TEST_CASE("UTF-8 is judged alike wherever in a long text it stands") {
  for (const std::size_t size : {1U, 63U, 64U, 65U, 127U, 128U, 200U}) {
    CHECK(is_utf8(std::string(size, 'a')));
    for (std::size_t at = 0; at < size; ++at) {
      std::string text(size, 'a');
      CHECK(is_utf8(text.replace(at, 0, "\xe2\x82\xac")));
      text[at + 2] = 'a';
      CHECK_FALSE(is_utf8(text));
    }
  }
}

TEST_CASE("errno becomes a text") { CHECK_FALSE(errno_text(ENOENT).empty()); }

}  // namespace leash::base
