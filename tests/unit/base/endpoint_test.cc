#include "base/endpoint.h"

#include <doctest/doctest.h>

#include <string>

namespace leash::base {
namespace {

TEST_CASE("an endpoint is an address with a port or a unix socket") {
  for (const char* text : {"127.0.0.1:8080", "[::1]:0", "unix:/run/leash/proxy.sock"}) {
    CAPTURE(text);
    const auto endpoint = Endpoint::parse(text);
    REQUIRE(endpoint);
    CHECK(endpoint->text() == text);
    CHECK(endpoint->is_unix() == std::string_view(text).starts_with("unix:"));
  }
}

TEST_CASE("a unix socket's path is absolute, short enough and printable") {
  CHECK(Endpoint::parse("unix:/" + std::string(106, 'x')));
  for (const std::string& text :
       {std::string("unix:"), std::string("unix:relative"), "unix:/" + std::string(107, 'x'),
        std::string("unix:/a\nb"), std::string("unix:/a\0b", 9), std::string("/run/leash.sock"),
        std::string("::1:80"), std::string("8080")}) {
    CAPTURE(text);
    CHECK_FALSE(Endpoint::parse(text));
  }
}

}  // namespace
}  // namespace leash::base
