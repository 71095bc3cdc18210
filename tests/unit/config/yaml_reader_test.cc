#include "config/yaml_reader.h"

#include <doctest/doctest.h>

namespace leash::config {
namespace {

std::string error_of(std::string_view text) {
  const auto read = parse_yaml(text);
  return read ? "" : read.error().text;
}

TEST_CASE("nodes carry kind, line, column and quoting") {
  const auto root = parse_yaml("a: 1\nb:\n  - \"x\"\n  - {k: ~}\n");
  REQUIRE(root.has_value());
  REQUIRE(root->is_map());
  CHECK(root->find("a")->text == "1");
  const YamlNode* list = root->find("b");
  REQUIRE(list != nullptr);
  CHECK(list->is_list());
  CHECK(list->column == 2);
  CHECK(list->items[0].line == 3);
  CHECK(list->items[0].is_quoted);
  CHECK(list->items[1].is_flow);
  CHECK(list->items[1].find("k")->is_null());
  CHECK(root->find("c") == nullptr);
}

TEST_CASE("an empty text, comments alone and a lone document start are null") {
  for (const char* text : {"", "\n", "# c\n", "---\n", "--- # c\n"}) {
    const auto root = parse_yaml(text);
    REQUIRE_MESSAGE(root.has_value(), text);
    CHECK(root->is_null());
  }
}

TEST_CASE("a byte order mark is skipped") {
  const auto root = parse_yaml(
      "\xef\xbb\xbf"
      "a: b\n");
  REQUIRE(root.has_value());
  CHECK(root->find("a")->text == "b");
  CHECK(root->find("a")->offset == 3);
}

TEST_CASE("what could mean two things is refused") {
  CHECK(error_of("a: &x 1\n") != "");
  CHECK(error_of("a: &x 1\nb: *x\n") != "");
  CHECK(error_of("a: !!str 1\n") != "");
  CHECK(error_of("a: 1\na: 2\n") == "the key 'a' appears twice");
  CHECK(error_of("a: 1\n---\nb: 2\n") == "more than one document");
  CHECK(error_of("? [x]\n: 1\n") != "");
  CHECK(error_of(": 1\n") != "");
  CHECK(error_of("a: [1\n") != "");
  CHECK(error_of("a: 1\n}\n") != "");
}

TEST_CASE("control bytes are refused, above all the one that yaml-cpp takes for the end") {
  const auto read = parse_yaml(std::string_view("block:\n- a.example\n\x04\n- b.example\n"));
  REQUIRE_FALSE(read.has_value());
  CHECK(read.error().line == 3);
  CHECK(error_of(std::string_view("a: \0", 4)) != "");
  CHECK(error_of("a: \x1b\n") != "");
  CHECK(error_of("a: \xff\n") == "not valid UTF-8");
}

TEST_CASE("deep nesting is refused in both styles") {
  CHECK(error_of(std::string(33, '[') + std::string(33, ']')) == "nested too deep");
  CHECK(error_of(std::string(32, '[') + std::string(32, ']')) == "");
  CHECK(error_of(std::string(100'000, '[')) != "");
  CHECK(error_of(std::string(100'000, '{')) != "");
  std::string block;
  for (int i = 0; i < 100; ++i) block += std::string(static_cast<std::size_t>(i), ' ') + "-\n";
  CHECK(error_of(block) == "nested too deep");
  std::string dashes;
  for (int i = 0; i < 10'000; ++i) dashes += "- ";
  CHECK(error_of(dashes) == "nested too deep");
}

TEST_CASE("a flow collection without end in sight is refused") {
  // Where it might be a key, yaml-cpp must read all of it before it can say what it is.
  std::string text = "- [";
  for (int i = 0; i < 300'000; ++i) text += "x,";
  CHECK(error_of(text + "x]\n").find("too long") != std::string::npos);
}

TEST_CASE("the number of nodes held is bounded") {
  const auto read = parse_yaml("[a, b, c, d]", {}, 4);
  REQUIRE_FALSE(read.has_value());
  CHECK(read.error().text == "too many values");
}

TEST_CASE("a sink takes the items of top-level lists one by one") {
  std::vector<std::string> got;
  const auto root = parse_yaml(
      "allow:\n- a\n- {host: b}\n- [c, d]\nother: x\nblock:\n- e\n",
      [&](const std::string& key, YamlNode&& item) {
        got.push_back(key + "/" +
                      (item.is_scalar() ? item.text : std::to_string(item.items.size())));
      },
      8);
  REQUIRE(root.has_value());
  CHECK(got == std::vector<std::string>{"allow/a", "allow/2", "allow/2", "block/e"});
  CHECK(root->find("allow")->items.empty());
  CHECK(root->find("other")->text == "x");
}

}  // namespace
}  // namespace leash::config
