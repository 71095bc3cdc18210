#include "policy/path_match.h"

#include <doctest/doctest.h>

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

TEST_CASE("a block rule also sees decoded and merged readings") {
  CHECK(matches_as_read({"", "/v1/"}, "GET", "/%761%2Fx"));
  CHECK(matches_as_read({"", "/a%20b"}, "GET", "/a b"));
  CHECK(matches_as_read({"", "/a%20b"}, "GET", "/a%2520b"));
  CHECK(matches_as_read({"", "/v1/"}, "GET", "///v1///x"));
  CHECK_FALSE(matches_as_read({"", "/v1/"}, "GET", "/v2/v1/"));
  CHECK_FALSE(matches_as_read({"PUT", "/v1/"}, "GET", "/v1/"));
}

}  // namespace
}  // namespace leash::policy
