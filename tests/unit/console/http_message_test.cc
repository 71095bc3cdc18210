#include "console/http_message.h"

#include <doctest/doctest.h>

#include "console/router.h"

namespace leash::console {

TEST_CASE("a query is decoded, and what is no escape stays") {
  const Pairs query = parse_query("a=1&b=x+y%20z&c&=d&e=%zz%4&f=%00%0A&a=2");
  const Pairs expected = {{"a", "1"}, {"b", "x y z"}, {"c", ""},
                          {"", "d"},  {"e", "%zz%4"}, {"f", std::string("\0\n", 2)},
                          {"a", "2"}};
  CHECK(query == expected);
  CHECK(parse_query("&&").empty());
}

TEST_CASE("of a header that comes twice nothing is concluded") {
  Request request;
  request.headers = {{"host", "a"}, {"origin", "b"}, {"host", "c"}};
  CHECK(request.header("host") == nullptr);
  CHECK(request.has_header("host"));
  REQUIRE(request.header("origin") != nullptr);
  CHECK(*request.header("origin") == "b");
}

TEST_CASE("a path is found whole, an open part is one segment") {
  Router router;
  router.add({"GET", "/api/event/{id}", {}, "", {}, nullptr, nullptr, {}});
  router.add({"GET", "/api/mode", {}, "", {}, nullptr, nullptr, {}});
  router.add({"PUT", "/api/mode", {Role::kOperator, true}, "", {}, nullptr, nullptr, {}});
  CHECK(router.find("GET", "/api/event/a%20b").rest == "a b");
  CHECK(router.find("HEAD", "/api/mode").route != nullptr);
  for (const char* path :
       {"/api/event/", "/api/event", "/api/event/a/b", "/api/mode/", "/api/modes"}) {
    CHECK_FALSE(router.find("GET", path).knows_path);
  }
  const auto match = router.find("DELETE", "/api/mode");
  CHECK(match.route == nullptr);
  CHECK(match.knows_path);
  CHECK(match.allowed == "GET, PUT");
}

}  // namespace leash::console
