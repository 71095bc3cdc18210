#include <doctest/doctest.h>

#include "audit/record.h"

namespace leash::audit {
namespace {

const Redactor kRedactor(Redactor::Secrets::kRedact, "0123456789abcdef");

std::string header(const std::string& name, const std::string& value) {
  HeaderList headers{{name, value}};
  kRedactor.headers(headers);
  return headers[0].second;
}

bool hides(std::string_view url, std::string_view secret) {
  const std::string shown = kRedactor.url(url);
  return shown.find(secret) == std::string::npos &&
         shown.find("[redacted hmac:") != std::string::npos;
}

TEST_CASE("values of secret headers are redacted whatever the case of the name") {
  for (const char* name : {"Authorization", "COOKIE", "set-cookie", "Proxy-Authorization",
                           "X-Api-Key", "x-auth-token", "X-Goog-Api-Key"}) {
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
  HeaderList headers{{"Cookie", "a"}};
  Redactor(Redactor::Secrets::kRedact, "another key").headers(headers);
  CHECK(headers[0].second != header("Cookie", "a"));
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

TEST_CASE("secrets are kept where the operator says so") {
  const Redactor keep(Redactor::Secrets::kKeep, "");
  HeaderList headers{{"Cookie", "a"}};
  keep.headers(headers);
  CHECK(headers[0].second == "a");
  CHECK(keep.url("http://a.test/?key=a") == "http://a.test/?key=a");
}

}  // namespace
}  // namespace leash::audit
