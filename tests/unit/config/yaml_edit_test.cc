#include "config/yaml_edit.h"

#include <doctest/doctest.h>

namespace leash::config {
namespace {

TEST_CASE("lines are inserted and erased with the file's own line end") {
  YamlEditor editor("a\r\nb\r\nc");
  editor.insert_after_line(0, {"top"});
  editor.erase_lines(2, 2);
  editor.insert_after_line(3, {"end"});
  CHECK(editor.result() == "top\r\na\r\nc\r\nend\r\n");
  CHECK(YamlEditor("").result() == "");
}

TEST_CASE("an item reaches from its dash to the last deeper line") {
  const std::string text =
      "allow:\n"
      "  -\n"
      "    host: a\n"
      "    # about a\n"
      "\n"
      "  # about b\n"
      "  - host: b\n"
      "\n"
      "tail: 1\n";
  const auto root = parse_yaml(text);
  REQUIRE(root.has_value());
  const YamlEditor editor(text);
  const auto first = editor.lines_of_item(*root->find("allow"), 0);
  REQUIRE(first.has_value());
  CHECK(first->first == 2);
  CHECK(first->last == 4);
  const auto second = editor.lines_of_item(*root->find("allow"), 1);
  REQUIRE(second.has_value());
  CHECK(second->first == 7);
  CHECK(second->last == 7);
}

TEST_CASE("the items of a flow list are found around quotes and braces") {
  const std::string text = "p: [ a, 'b, c', { d: \"]\" } , it's ]  # x\n";
  const auto root = parse_yaml(text);
  REQUIRE(root.has_value());
  const auto flow = YamlEditor(text).flow_list(*root->find("p"));
  REQUIRE(flow.has_value());
  REQUIRE(flow->items.size() == 4);
  const auto item = [&](std::size_t i) {
    return text.substr(flow->items[i].begin, flow->items[i].end - flow->items[i].begin);
  };
  CHECK(item(1) == "'b, c'");
  CHECK(item(2) == "{ d: \"]\" }");
  CHECK(item(3) == "it's");
}

TEST_CASE("a flow list over several lines is left alone") {
  const std::string text = "p: [a,\n  b]\n";
  const auto root = parse_yaml(text);
  REQUIRE(root.has_value());
  CHECK_FALSE(YamlEditor(text).flow_list(*root->find("p")).has_value());
}

TEST_CASE("scalars read back as what they were") {
  for (const char* text : {"a.example",
                           "::1",
                           "/v1/{x}",
                           "null",
                           "no",
                           "say \"hi\" \\ there",
                           "#x",
                           "-",
                           "",
                           " a",
                           "~",
                           "a: b",
                           "2026-12-31T00:00:00Z",
                           "bücher",
                           "&a",
                           "*a",
                           "!a",
                           "%a",
                           "@a",
                           "/a,b"}) {
    const auto root = parse_yaml("k: [" + yaml_scalar(text) + ", x]\n");
    REQUIRE_MESSAGE(root.has_value(), text);
    CHECK(root->find("k")->items.at(0).text == text);
    CHECK(root->find("k")->items.at(0).is_scalar());
  }
}

}  // namespace
}  // namespace leash::config
