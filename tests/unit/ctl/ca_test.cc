#include <doctest/doctest.h>

#include "tls/direct_leaves.h"
#include "unit/ctl/desk.h"

namespace leash::ctl {

TEST_CASE("the CA is described, and printed on request") {
  const Desk desk;
  REQUIRE(tls::DirectIssuer::open(desk.ca_dir()).has_value());
  const Said said = desk.run({"ca"});
  CHECK(said.code == 0);
  CHECK(has(said.out, "path         " + desk.ca_dir() + "/leash-ca-cert.pem\n"));
  CHECK(has(said.out, "fingerprint  "));
  CHECK(has(said.out, "subject      "));
  CHECK(has(said.out, "not after    2"));
  const Said pem = desk.run({"ca", "--print"});
  CHECK(pem.code == 0);
  CHECK(pem.out == desk.read(desk.ca_dir() + "/leash-ca-cert.pem"));
  CHECK_FALSE(has(pem.out, "PRIVATE KEY"));
}

TEST_CASE("where there is no CA none is made") {
  const Desk desk;
  const Said said = desk.run({"ca"});
  CHECK(said.code == 1);
  CHECK(said.err.starts_with("leashctl: "));
  CHECK(std::filesystem::is_empty(desk.ca_dir()));
}

}  // namespace leash::ctl
