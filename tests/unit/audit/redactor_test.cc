#include <doctest/doctest.h>

#include "audit/record.h"

namespace leash::audit {
namespace {

const Redactor kRedactor(Redactor::Secrets::kRedact, "0123456789abcdef");

std::string header(const std::string& name, const std::string& value) {
  return kRedactor.header(name, value).value_or(value);
}

bool hides(std::string_view url, std::string_view secret) {
  const std::string shown = kRedactor.url(url);
  return shown.find(secret) == std::string::npos &&
         shown.find("[redacted hmac:") != std::string::npos;
}

TEST_CASE("values of secret headers are redacted whatever the case of the name") {
  for (const char* name :
       {"Authorization", "COOKIE", "set-cookie", "Proxy-Authorization", "X-Api-Key", "x-auth-token",
        "X-Goog-Api-Key", "apikey", "DD-API-KEY", "X-Auth-Key", "x-access-token", "X-CSRF-Token",
        "x-functions-key", "Ocp-Apim-Subscription-Key"}) {
    const std::string value = header(name, "Bearer s3cret");
    CHECK(value.starts_with("[redacted hmac:"));
    CHECK(value.size() == std::string("[redacted hmac:01234567]").size());
  }
  CHECK(header("Accept", "text/html") == "text/html");
  CHECK(header("Authorization", "") == "");
}

TEST_CASE("equal secrets look equal, others do not, and the key matters") {
  CHECK(header("Cookie", "a") == header("Authorization", "a"));
  CHECK(header("Cookie", "a") != header("Cookie", "b"));
  CHECK(Redactor(Redactor::Secrets::kRedact, "another key").header("Cookie", "a") !=
        header("Cookie", "a"));
}

TEST_CASE("query parameters named like keys are redacted, others are not") {
  CHECK(hides("https://a.test/x?key=s3cret", "s3cret"));
  CHECK(hides("https://a.test/x?q=1&api_key=s3cret&z=2", "s3cret"));
  CHECK(hides("https://a.test/x?API-Key=s3cret", "s3cret"));
  CHECK(hides("https://a.test/x?%61ccess_%74oken=s3cret", "s3cret"));
  CHECK(hides("https://a.test/x?X-Amz-Signature=s3cret", "s3cret"));
  CHECK(hides("https://a.test/x?a=1;client_secret=s3cret", "s3cret"));
  CHECK(hides("https://a.test/x?token[]=s3cret", "s3cret"));
  CHECK(hides("https://a.test/x#access_token=s3cret", "s3cret"));
  CHECK(hides("https://a.test/x?a?password=s3cret", "s3cret"));
  CHECK(hides("https://user:s3cret@a.test/x", "s3cret"));
  CHECK(kRedactor.url("https://a.test/x?q=1&sort=up&monkey=2#top") ==
        "https://a.test/x?q=1&sort=up&monkey=2#top");
  CHECK(kRedactor.url("https://a.test/key=1/@x?key=&key") == "https://a.test/key=1/@x?key=&key");
  CHECK(kRedactor.url("") == "");
  CHECK(kRedactor.url("?&=&;#") == "?&=&;#");
}

TEST_CASE("a secret in a header and in a query correlate") {
  const std::string url = kRedactor.url("http://a.test/?key=a%2Fb");
  CHECK(url == "http://a.test/?key=" + header("X-Api-Key", "a/b"));
}

TEST_CASE("URLs in headers are redacted too") {
  CHECK(header("Location", "https://a.test/?token=s3cret").find("s3cret") == std::string::npos);
  CHECK(header("Referer", "https://a.test/?q=1") == "https://a.test/?q=1");
}

TEST_CASE("tokens among WebSocket subprotocols are redacted, the protocols are not") {
  const std::string name = "Sec-WebSocket-Protocol";
  const std::string secret = header("Cookie", "s3cret");
  CHECK(header(name, "realtime, openai-insecure-api-key.s3cret, openai-beta.realtime-v1") ==
        "realtime, openai-insecure-api-key." + secret + ", openai-beta.realtime-v1");
  CHECK(header(name, "base64url.bearer.authorization.k8s.io.s3cret,v4.channel.k8s.io") ==
        "base64url.bearer." + header("Cookie", "authorization.k8s.io.s3cret") +
            ", v4.channel.k8s.io");
  CHECK(header(name, "graphql-ws, access_token, s3cret") == "graphql-ws, access_token, " + secret);
  CHECK(header(name, "Bearer,s3cret,chat") == "Bearer, " + secret + ", chat");
  const std::string jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln";
  CHECK(header(name, "chat, " + jwt) == "chat, " + header("Cookie", jwt));
  const std::string opaque = "sk-0123456789abcdefghij0123456789";
  CHECK(header(name, opaque) == header("Cookie", opaque));
  for (const char* plain :
       {"", "chat", "chat, superchat", "graphql-transport-ws", "v12.stomp, v11.stomp",
        "v5.channel.k8s.io", "ocpp2.0.1", "mqtt", "wamp.2.json",
        "tunnel.data.lwm2m.openmobilealliance", "openai-insecure-api-key.", "token"}) {
    CHECK(header(name, plain) == plain);
  }
}

TEST_CASE("secrets are kept where the operator says so") {
  const Redactor keep(Redactor::Secrets::kKeep, "");
  CHECK_FALSE(keep.header("Cookie", "a"));
  CHECK(keep.url("http://a.test/?key=a") == "http://a.test/?key=a");
}

}  // namespace
}  // namespace leash::audit
