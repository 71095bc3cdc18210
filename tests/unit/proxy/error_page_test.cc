#include "proxy/error_page.h"

#include <doctest/doctest.h>

namespace leash::proxy {
namespace {

using base::Code;
using base::Error;
using base::Fault;

Context context_for(const char* host, std::uint16_t port, const char* path) {
  Context context;
  context.authority = {*base::Host::parse(host), port};
  context.head.method = "GET";
  context.head.path = path;
  return context;
}

TEST_CASE("a blocked request is told host, port, path and reason as the original does") {
  const Context context = context_for("api.example.net", 443, "/private?x=1");
  const Answer answer = answer_for(Refusal{.reason = "path_not_allowed"}, context);
  CHECK(answer.head.status == 403);
  CHECK(answer.body == "leash: api.example.net:443/private?x=1 blocked (path_not_allowed)\n");
  REQUIRE(answer.head.fields.find("content-type") != nullptr);
  CHECK(*answer.head.fields.find("content-type") == "text/plain");
  CHECK(answer.head.body.length == answer.body.size());
  CHECK(answer.head.is_persistent);
}

TEST_CASE("a blocked CONNECT is told no path") {
  Context context = context_for("evil.example", 443, "");
  context.is_connect = true;
  const Answer answer = answer_for(Refusal{.reason = "not_in_allowlist"}, context);
  CHECK(answer.body == "leash: evil.example:443 blocked (not_in_allowlist)\n");
}

TEST_CASE("the fault decides the class of the status") {
  CHECK(refusal_for(Error{Code::kBadChunk, Fault::kClient, ""}).status == 400);
  CHECK(refusal_for(Error{Code::kBadChunk, Fault::kOrigin, ""}).status == 502);
  CHECK(refusal_for(Error{Code::kHeadTooLarge, Fault::kClient, ""}).status == 431);
  CHECK(refusal_for(Error{Code::kHeadTooLarge, Fault::kOrigin, ""}).status == 502);
  CHECK(refusal_for(Error{Code::kTimeout, Fault::kClient, ""}).status == 408);
  CHECK(refusal_for(Error{Code::kConnectTimeout, Fault::kOrigin, ""}).status == 504);
  CHECK(refusal_for(Error{Code::kResolveTimeout, Fault::kOrigin, ""}).status == 504);
  CHECK(refusal_for(Error{Code::kTlsServer, Fault::kOrigin, ""}).status == 502);
  CHECK(refusal_for(Error{Code::kAuditUnavailable, Fault::kProxy, ""}).status == 503);
}

TEST_CASE("an error of the client closes its connection, one of the origin does not") {
  CHECK(refusal_for(Error{Code::kBadRequestLine, Fault::kClient, ""}).must_close);
  CHECK_FALSE(refusal_for(Error{Code::kConnectFailed, Fault::kOrigin, ""}).must_close);
}

TEST_CASE("an origin's certificate problem is told in words") {
  const Context context = context_for("badcert.example", 443, "/");
  const Answer answer = answer_for(
      refusal_for(Error{Code::kTlsServer, Fault::kOrigin, "certificate has expired"}), context);
  CHECK(answer.head.status == 502);
  CHECK(answer.body ==
        "leash: badcert.example:443/ failed (tls_server: certificate has expired)\n");
}

}  // namespace
}  // namespace leash::proxy
