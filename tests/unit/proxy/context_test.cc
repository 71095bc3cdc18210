#include "proxy/context.h"

#include <doctest/doctest.h>

namespace leash::proxy {
namespace {

Context context_for(const char* scheme, std::uint16_t port) {
  Context context;
  context.scheme = scheme;
  context.authority = {*base::Host::parse("files.example.net"), port};
  context.head.path = "/list?a=1";
  return context;
}

TEST_CASE("a URL leaves the scheme's own port out") {
  CHECK(context_for("https", 443).url() == "https://files.example.net/list?a=1");
  CHECK(context_for("http", 80).url() == "http://files.example.net/list?a=1");
  CHECK(context_for("https", 8443).url() == "https://files.example.net:8443/list?a=1");
  CHECK(context_for("http", 443).url() == "http://files.example.net:443/list?a=1");
}

TEST_CASE("a URL shows the host that the request names") {
  Context context = context_for("https", 443);
  context.head.host = base::Authority{*base::Host::parse("other.example"), 0};
  CHECK(context.url() == "https://other.example/list?a=1");
  context.head.host = base::Authority{*base::Host::parse("other.example"), 444};
  CHECK(context.url() == "https://other.example:444/list?a=1");
}

}  // namespace
}  // namespace leash::proxy
