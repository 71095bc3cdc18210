#include "http/message.h"

#include <doctest/doctest.h>

namespace leash::http {
namespace {

Fields make(std::initializer_list<Field> list) {
  Fields fields;
  for (const Field& field : list) fields.add(field.name, field.value);
  return fields;
}

}  // namespace

TEST_CASE("fields are found by name without case, the first one first") {
  const Fields fields = make({{"A", "1"}, {"b", "2"}, {"a", "3"}});
  REQUIRE(fields.find("a") != nullptr);
  CHECK(*fields.find("a") == "1");
  CHECK(fields.count("A") == 2);
  CHECK(fields.has("B"));
  CHECK(fields.find("c") == nullptr);
  CHECK(fields.count("c") == 0);
}

TEST_CASE("a token is looked for in all lines of a list") {
  const Fields fields = make({{"Connection", "a , ,\tB"}, {"X", "c"}, {"connection", "close"}});
  CHECK(fields.has_token("connection", "A"));
  CHECK(fields.has_token("connection", "b"));
  CHECK(fields.has_token("connection", "Close"));
  CHECK_FALSE(fields.has_token("connection", "c"));
  CHECK_FALSE(fields.has_token("connection", "clos"));
  CHECK_FALSE(fields.has_token("connection", ""));
}

TEST_CASE("remove takes all lines of a name") {
  Fields fields = make({{"A", "1"}, {"b", "2"}, {"a", "3"}});
  fields.remove("a");
  CHECK(fields == make({{"b", "2"}}));
  fields.remove("x");
  CHECK(fields.size() == 1);
}

TEST_CASE("set puts one line in the place of the first") {
  Fields fields = make({{"x", "0"}, {"A", "1"}, {"b", "2"}, {"a", "3"}});
  fields.set("a", "9");
  CHECK(fields == make({{"x", "0"}, {"A", "9"}, {"b", "2"}}));
  fields.set("New", "n");
  CHECK(fields.all().back() == Field{"New", "n"});
}

TEST_CASE("101 is no interim response") {
  ResponseHead head;
  head.status = 101;
  CHECK_FALSE(head.is_interim());
  head.status = 103;
  CHECK(head.is_interim());
  head.status = 200;
  CHECK_FALSE(head.is_interim());
}

}  // namespace leash::http
