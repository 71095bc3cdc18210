#include "console/json.h"

#include <doctest/doctest.h>

#include <limits>

namespace leash::console {

TEST_CASE("JSON is written in ASCII, on one line, whatever it is given") {
  JsonWriter json;
  json.begin_object().key("a").text("\n\"\\\x01\xff\xe2\x80\xa8</script>").key("b").begin_array();
  json.number(std::int64_t{-1}).number(UINT64_MAX).real(1.5).boolean(true).null().raw("{}");
  json.real(std::numeric_limits<double>::infinity()).end_array().key("c").begin_object();
  json.end_object().end_object();
  CHECK(
      json.take() ==
      R"({"a":"\n\"\\\u0001\udcff\u2028</script>","b":[-1,18446744073709551615,1.5,true,null,{},null],"c":{}})");
}

TEST_CASE("JSON that is none, or too deep, is not read") {
  for (const char* text : {"", "{", "[1,]", "{\"a\":1}x", "nul", "\"\xff\"", "{a:1}", "'a'"}) {
    CHECK_FALSE(JsonValue::parse(text).has_value());
  }
  CHECK(JsonValue::parse(std::string(32, '[') + std::string(32, ']')).has_value());
  CHECK_FALSE(JsonValue::parse(std::string(33, '[') + std::string(33, ']')).has_value());
  CHECK_FALSE(JsonValue::parse(std::string(1'000'000, '[')).has_value());
}

TEST_CASE("a member is had by its name and type") {
  const auto value =
      JsonValue::parse(R"({"t":"x\u0000y","n":7,"f":1.5,"l":[1,"a"],"o":{"k":"v"}})");
  REQUIRE(value.has_value());
  CHECK(value->text("t") == std::string("x\0y", 3));
  CHECK(value->integer("n") == 7);
  CHECK_FALSE(value->integer("f").has_value());
  CHECK_FALSE(value->text("n").has_value());
  CHECK_FALSE(value->text("none").has_value());
  CHECK(value->has("o"));
  const auto list = value->member("l");
  REQUIRE(list.has_value());
  CHECK(list->items().size() == 2);
  CHECK(list->items()[1].as_text() == "a");
  CHECK(value->member("o")->keys() == std::vector<std::string>{"k"});
  CHECK_FALSE(list->text("x").has_value());
}

}  // namespace leash::console
