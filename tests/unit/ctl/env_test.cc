#include <doctest/doctest.h>

#include "tls/direct_leaves.h"
#include "unit/ctl/desk.h"

namespace leash::ctl {

TEST_CASE("an agent is given the proxy and the CA in every runtime's words") {
  Desk desk;
  REQUIRE(tls::DirectIssuer::open(desk.ca_dir()).has_value());
  desk.env["LEASH_LISTEN"] = "0.0.0.0:3128";
  const Said said = desk.run({"env"});
  CHECK(said.code == 0);
  for (const char* name : {"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"}) {
    CHECK(has(said.out, "export " + std::string(name) + "=http://127.0.0.1:3128\n"));
  }
  CHECK(has(said.out, "export NO_PROXY=localhost,127.0.0.1\n"));
  for (const char* name :
       {"NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE",
        "GIT_SSL_CAINFO", "PIP_CERT", "CARGO_HTTP_CAINFO", "DENO_CERT"}) {
    CHECK(has(said.out,
              "export " + std::string(name) + "=" + desk.ca_dir() + "/leash-ca-cert.pem\n"));
  }
}

TEST_CASE("the variables name the first TCP listener, since none can name a unix socket") {
  Desk desk;
  REQUIRE(tls::DirectIssuer::open(desk.ca_dir()).has_value());
  desk.env["LEASH_LISTEN"] = "unix:/run/leash.sock,[::1]:3128,127.0.0.1:8080";
  CHECK(has(desk.run({"env"}).out, "export HTTP_PROXY='http://[::1]:3128'\n"));
  desk.env["LEASH_LISTEN"] = "unix:/run/leash.sock";
  const Said said = desk.run({"env"});
  CHECK(said.code == 1);
  CHECK(said.out.empty());
}

TEST_CASE("proxy and certificate of another host need neither settings nor CA here") {
  const Desk desk;
  const Said said =
      desk.run({"env", "--proxy", "http://leash.lan:8080", "--ca-file", "/etc/ssl/my ca.pem"});
  CHECK(said.code == 0);
  CHECK(has(said.out, "export HTTPS_PROXY=http://leash.lan:8080\n"));
  CHECK(has(said.out, "export DENO_CERT='/etc/ssl/my ca.pem'\n"));
}

TEST_CASE("nothing that is printed runs when a shell reads it") {
  const Desk desk;
  const Said quoted = desk.run({"env", "--proxy", "$(id)", "--ca-file", "`id`"});
  CHECK(has(quoted.out, "export HTTP_PROXY='$(id)'\n"));
  CHECK(has(quoted.out, "export PIP_CERT='`id`'\n"));
  CHECK(desk.run({"env", "--proxy", "http://a\nid", "--ca-file", "/x"}).code == 1);
}

TEST_CASE("without a CA there is nothing to export") {
  const Desk desk;
  const Said said = desk.run({"env"});
  CHECK(said.code == 1);
  CHECK(said.out.empty());
}

}  // namespace leash::ctl
