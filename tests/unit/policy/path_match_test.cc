#include "policy/path_match.h"

#include <doctest/doctest.h>

#include <string>

#include "policy/decide.h"

namespace leash::policy {
namespace {

TEST_CASE("dot segments are ambiguous in any decoding") {
  for (const char* path :
       {"/..", "/.", "/a/../b", "/a/./b", "/a/..", "/%2e%2e/x", "/%2E./x", "/.%2e/x", "/a/%2e",
        "/%252e%252e/x", "/%25252e%252e/x", "/a/..%2fb", "/a%2f..%2fb", "/a%2F%2e%2E", "/..;/x",
        "/a/..;v=1/b", "/a%3f/../b", "/a/..%3fx", "/a/..%23x"}) {
    CHECK_MESSAGE(is_ambiguous_path(path), path);
  }
}

TEST_CASE("back-slashes, control bytes and overlong UTF-8 are ambiguous") {
  for (const char* path :
       {"/a\\b", "/a%5cb", "/a%255Cb", "/a%00b", "/a%0d%0ab", "/a%7fb", "/%c0%ae%c0%ae/x",
        "/%c0%af", "/%e0%80%ae", "/%f0%80%80%ae", "/%u002e/x"}) {
    CHECK_MESSAGE(is_ambiguous_path(path), path);
  }
}

TEST_CASE("escapes without an end in sight are ambiguous") {
  CHECK(is_ambiguous_path("/%252525252525252541"));
}

TEST_CASE("ordinary paths are not ambiguous") {
  for (const char* path :
       {"/", "", "*", "/v1/messages", "/v1/messages?x=../y", "/@scope%2fpkg", "/a..b", "/...",
        "/.well-known/x", "/..a/b", "/a%20b", "/%E2%82%AC", "/%c3%bc", "/a;b=1/c", "/100%", "/%zz",
        "//double", "/a?b=%2e%2e%2f", "/%2541"}) {
    CHECK_MESSAGE(!is_ambiguous_path(path), path);
  }
}

TEST_CASE("an allow rule needs the raw prefix") {
  CHECK(matches({"", "/v1/"}, "GET", "/v1/x"));
  CHECK(matches({"GET", "/v1"}, "get", "/v10"));
  CHECK_FALSE(matches({"GET", "/v1/"}, "POST", "/v1/x"));
  CHECK_FALSE(matches({"", "/v1/"}, "GET", "/%761/x"));
  CHECK_FALSE(matches({"", "/v1/"}, "GET", "//v1/x"));
  CHECK_FALSE(matches({"", "/v1/"}, "GET", "/v1"));
}

bool is_read_under(const PathRule& rule, std::string_view method, std::string_view path) {
  return PathReadings(path).match(rule, method);
}

TEST_CASE("an allow rule matches the reading without path parameters whenever it matches the raw") {
  for (const char* path : {"/v1/;a=1/x", "/v1/x;a=1", "/v1/;/;/x", "/v1/m;v=1/n;w=2?q=;"}) {
    CHECK_MESSAGE(matches({"", "/v1/"}, "GET", path), path);
    CHECK_FALSE_MESSAGE(is_ambiguous_path(path), path);
  }
  CHECK_FALSE(matches({"", "/v1/"}, "GET", "/;/v1/x"));
  CHECK_FALSE(matches({"", "/v1/"}, "GET", "/v1;a=1/x"));
}

TEST_CASE("a block rule also sees decoded and merged readings") {
  CHECK(is_read_under({"", "/v1/"}, "GET", "/%761%2Fx"));
  CHECK(is_read_under({"", "/a%20b"}, "GET", "/a b"));
  CHECK(is_read_under({"", "/a%20b"}, "GET", "/a%2520b"));
  CHECK(is_read_under({"", "/v1/"}, "GET", "///v1///x"));
  CHECK_FALSE(is_read_under({"", "/v1/"}, "GET", "/v2/v1/"));
  CHECK_FALSE(is_read_under({"PUT", "/v1/"}, "GET", "/v1/"));
}

TEST_CASE("a block rule also sees readings without path parameters") {
  for (const char* path :
       {"/admin/x", "/;/admin/x", "/;a=1/admin/x", "/;a=1;b=2/;c/admin/x", "/admin;x=1/y",
        "/admin;/x", "/%3b/admin/x", "/%253ba=1/admin/x", "/;a%2fb/%61dmin/x", "/ad%6din;v=1/x",
        "/;/%2561dmin/x", "/admin;x=1/y?z;a"}) {
    CHECK_MESSAGE(is_read_under({"", "/admin/"}, "GET", path), path);
  }
  CHECK(is_read_under({"", "/x?key="}, "GET", "/x;v=1?key=1"));
  CHECK(is_read_under({"", "/map;v=1/"}, "GET", "/map;v=1/x"));
  for (const char* path : {"/", "/;admin/x", "/a;/admin/x", "/adm;in/x", "/Admin/x",
                           "/x?/;/admin/x", "/map;v=1/admin/", "*", ""}) {
    CHECK_FALSE_MESSAGE(is_read_under({"", "/admin/"}, "GET", path), path);
  }
}

TEST_CASE("a path whose readings do not end is under every block rule") {
  CHECK(is_read_under({"", "/admin/"}, "GET", "/%252525252525252541"));
  std::string path = "/";
  for (int i = 0; i < 2000; ++i) path += ";%252525253b%2525252525";
  CHECK(is_read_under({"", "/admin/"}, "GET", path));
}

}  // namespace
}  // namespace leash::policy
