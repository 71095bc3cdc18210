#include "insight/suffixes.h"

#include <doctest/doctest.h>

namespace leash::insight {
namespace {

std::string warning(std::string_view host) { return shared_name_warning(*base::Host::parse(host)); }

}  // namespace

TEST_CASE("public suffixes and shared hosting domains are told apart from names of one owner") {
  CHECK(warning("co.uk").find("public suffix") != std::string::npos);
  CHECK(warning("github.io").find("shared hosting domain") != std::string::npos);
  CHECK(warning("s3.amazonaws.com").find("shared hosting domain") != std::string::npos);
  CHECK(warning("amazonaws.com").find("shared hosting domain") != std::string::npos);
  CHECK(warning("me.github.io").empty());
  CHECK(warning("example.co.uk").empty());
  CHECK(warning("api.anthropic.com").empty());
}

TEST_CASE("a name of one label and an address cover nothing else") {
  CHECK(warning("com").empty());
  CHECK(warning("localhost").empty());
  CHECK(warning("10.0.0.1").empty());
}

TEST_CASE("one owner has what is at or below a registrable domain, clouds apart") {
  for (const char* name : {"example.net", "cdn.example.net", "example.co.uk", "me.github.io"}) {
    CAPTURE(name);
    CHECK(has_one_owner(name));
  }
  for (const char* name : {"net", "co.uk", "github.io", "amazonaws.com", "eu.amazonaws.com",
                           "s3.amazonaws.com", "blob.core.windows.net", "core.windows.net"}) {
    CAPTURE(name);
    CHECK_FALSE(has_one_owner(name));
  }
}

}  // namespace leash::insight
