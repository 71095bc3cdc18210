#include "insight/printable.h"

#include <doctest/doctest.h>

#include "base/text.h"

namespace leash::insight {

TEST_CASE("a terminal escape becomes text") {
  CHECK(printable("/a\x1b[31m") == "/a\\x1b[31m");
  CHECK(printable("a\r\nb\tc\x7f") == "a\\r\\nb\\tc\\x7f");
}

TEST_CASE("C1 controls, bidirectional marks and separators become text") {
  CHECK(printable("\u009b31m") == "\\u{9b}31m");
  CHECK(printable("a\u202eb\u2028c\u200dd\ufeff") == "a\\u{202e}b\\u{2028}c\\u{200d}d\\u{feff}");
  CHECK(printable("\U000e0041") == "\\u{e0041}");
}

TEST_CASE("each of the 256 byte values becomes printable, valid UTF-8 without controls") {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string out = printable(std::string(1, static_cast<char>(byte)));
    CHECK(base::is_utf8(out));
    for (const char c : out) CHECK((c >= 0x20 && c < 0x7f));
  }
}

TEST_CASE("bytes that are not UTF-8 are shown one by one, and what follows is kept") {
  CHECK(printable("\xc3(") == "\\xc3(");
  CHECK(printable("\xf0\x9f\x98") == "\\xf0\\x9f\\x98");
  CHECK(printable("\xed\xa0\x80!") == "\\xed\\xa0\\x80!");
}

TEST_CASE("letters of any script stay, a back-slash is doubled") {
  CHECK(printable("bücher.example 東京 😀") == "bücher.example 東京 😀");
  CHECK(printable("\\x1b") == "\\\\x1b");
}

TEST_CASE("line breaks stay where they are wanted, other controls do not") {
  CHECK(printable("audit\n\x1b", LineBreaks::kKeep) == "audit\n\\x1b");
}

TEST_CASE("shortening counts characters and never cuts one in two") {
  CHECK(shortened("äöü", 3) == "äöü");
  CHECK(shortened("äöüß", 3) == "äöü…");
  CHECK(shortened("", 0).empty());
}

TEST_CASE("a line of JSON comes out in ASCII with the same value") {
  CHECK(ascii_json("{\"a\": \"\xc3\xa4\xf0\x9f\x98\x80\xff\x7f\"}") ==
        "{\"a\": \"\\u00e4\\ud83d\\ude00\\udcff\\u007f\"}");
  CHECK(ascii_json("{\"a\": \"\\u001b\"}") == "{\"a\": \"\\u001b\"}");
}

TEST_CASE("a spreadsheet takes no cell for a formula") {
  CHECK(csv_cell("=HYPERLINK(\"http://x\")") == "\"'=HYPERLINK(\"\"http://x\"\")\"");
  for (const char* text : {"=1", "+1", "-1", "@x", " =1", "'=1", "\"=1", "|x", "＝1"}) {
    const std::string cell = csv_cell(text);
    CHECK(cell.substr(0, 2) == "\"'");
  }
  CHECK(csv_cell("\t=1").front() != '=');
  CHECK(csv_cell("GET") == "GET");
  CHECK(csv_cell("a,b") == "\"a,b\"");
  CHECK(csv_cell("a\nb") == "a\\nb");
}

TEST_CASE("a shell takes a word for a word") {
  CHECK(shell_word("http://127.0.0.1:8080") == "http://127.0.0.1:8080");
  CHECK(shell_word("$(id)") == "'$(id)'");
  CHECK(shell_word("it's") == "'it'\\''s'");
  CHECK(shell_word("") == "''");
}

}  // namespace leash::insight
