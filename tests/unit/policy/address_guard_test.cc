#include "policy/address_guard.h"

#include <doctest/doctest.h>

namespace leash::policy {
namespace {

base::IpAddress ip(std::string_view text) {
  const auto parsed = base::IpAddress::parse(text);
  REQUIRE_MESSAGE(parsed.has_value(), std::string(text));
  return *parsed;
}

base::Network net(std::string_view text) { return base::Network::parse(text).value(); }

std::string kind(std::string_view text) { return std::string(address_class(ip(text))); }

TEST_CASE("each special range has its class") {
  const std::pair<const char*, const char*> cases[] = {
      {"8.8.8.8", "public"},
      {"1.1.1.1", "public"},
      {"172.15.255.255", "public"},
      {"172.32.0.0", "public"},
      {"100.63.255.255", "public"},
      {"100.128.0.0", "public"},
      {"223.255.255.255", "public"},
      {"0.0.0.0", "unspecified"},
      {"0.1.2.3", "reserved"},
      {"10.255.255.255", "private"},
      {"172.16.0.1", "private"},
      {"172.31.255.255", "private"},
      {"192.168.1.1", "private"},
      {"100.64.0.1", "shared"},
      {"127.0.0.1", "loopback"},
      {"127.255.255.255", "loopback"},
      {"169.254.1.1", "link_local"},
      {"169.254.169.254", "metadata"},
      {"168.63.129.16", "metadata"},
      {"100.100.100.200", "metadata"},
      {"192.0.0.1", "reserved"},
      {"192.0.2.1", "documentation"},
      {"198.51.100.1", "documentation"},
      {"203.0.113.1", "documentation"},
      {"198.18.0.1", "benchmarking"},
      {"198.19.255.255", "benchmarking"},
      {"224.0.0.1", "multicast"},
      {"239.255.255.255", "multicast"},
      {"240.0.0.1", "reserved"},
      {"255.255.255.255", "reserved"},
      {"2606:4700::1111", "public"},
      {"2001:4860:4860::8888", "public"},
      {"::", "unspecified"},
      {"::1", "loopback"},
      {"fe80::1", "link_local"},
      {"febf::1", "link_local"},
      {"fec0::1", "private"},
      {"fc00::1", "private"},
      {"fdff::1", "private"},
      {"fd00:ec2::254", "metadata"},
      {"fd00:ec2::23", "metadata"},
      {"fd20:ce::254", "metadata"},
      {"ff02::1", "multicast"},
      {"2001:db8::1", "documentation"},
      {"3fff::1", "documentation"},
      {"2001:2::1", "benchmarking"},
      {"2001:20::1", "reserved"},
      {"100::1", "reserved"},
      {"4000::1", "reserved"},
  };
  for (const auto& each : cases) CHECK_MESSAGE(kind(each.first) == each.second, each.first);
}

TEST_CASE("IPv4 inside IPv6 is judged as that IPv4") {
  const std::pair<const char*, const char*> cases[] = {
      {"::ffff:169.254.169.254", "metadata"},
      {"::ffff:127.0.0.1", "loopback"},
      {"::ffff:8.8.8.8", "public"},
      {"::ffff:0:127.0.0.1", "loopback"},
      {"::127.0.0.1", "loopback"},
      {"::8.8.8.8", "public"},
      {"64:ff9b::a9fe:a9fe", "metadata"},
      {"64:ff9b::8.8.8.8", "public"},
      {"64:ff9b::10.0.0.1", "private"},
      {"64:ff9b:1::10.0.0.1", "private"},
      {"64:ff9b:1::8.8.8.8", "public"},
      {"64:ff9b:1:a00:0:100::", "private"},  // 10.0.0.1 in the layout of /48
      {"64:ff9b:1:808:8:800::", "public"},   // 8.8.8.8 likewise
      {"64:ff9b:1:1:1:1:1:1", "reserved"},   // in no layout that can be told
      {"2002:7f00:1::", "loopback"},
      {"2002:808:808::1", "public"},
      {"2001:0:808:808::80ff:fffe", "loopback"},  // client 127.0.0.1, inverted
      {"2001:0:808:808::f7f7:f7f7", "public"},
      {"2001:0:a00:1::f7f7:f7f7", "private"},  // the server is private
  };
  for (const auto& each : cases) CHECK_MESSAGE(kind(each.first) == each.second, each.first);
}

TEST_CASE("public addresses may be dialled, everything else says what it is") {
  const AddressGuard guard({}, {}, {});
  CHECK(guard.refusal({ip("8.8.8.8"), 443}, {}) == "");
  CHECK(guard.refusal({ip("127.0.0.1"), 443}, {}) == "loopback");
  CHECK(guard.refusal({ip("::ffff:10.0.0.1"), 443}, {}) == "private");
  CHECK(guard.refusal({ip("255.255.255.255"), 443}, {}) == "reserved");
}

TEST_CASE("an opened network, or one of the decision, lifts the guard") {
  const AddressGuard guard({net("10.0.0.0/8")}, {}, {});
  CHECK(guard.refusal({ip("10.1.2.3"), 443}, {}) == "");
  CHECK(guard.refusal({ip("::ffff:10.1.2.3"), 443}, {}) == "");
  CHECK(guard.refusal({ip("192.168.1.1"), 443}, {}) == "private");
  Decision decision;
  decision.networks.push_back(net("192.168.1.0/24"));
  CHECK(guard.refusal({ip("192.168.1.1"), 443}, decision) == "");
  CHECK(guard.refusal({ip("192.168.2.1"), 443}, decision) == "private");
}

TEST_CASE("opening all of IPv6 does not open the IPv4 inside it") {
  const AddressGuard guard({net("::/0")}, {}, {});
  CHECK(guard.refusal({ip("fd00::1"), 443}, {}) == "");
  CHECK(guard.refusal({ip("::ffff:127.0.0.1"), 443}, {}) == "loopback");
  CHECK(guard.refusal({ip("64:ff9b::10.0.0.1"), 443}, {}) == "private");
}

TEST_CASE("metadata services need a network of one address") {
  CHECK(AddressGuard({net("169.254.0.0/16")}, {}, {}).refusal({ip("169.254.169.254"), 80}, {}) ==
        "metadata");
  CHECK(AddressGuard({net("169.254.0.0/16")}, {}, {}).refusal({ip("169.254.1.1"), 80}, {}) == "");
  CHECK(
      AddressGuard({net("169.254.169.254/32")}, {}, {}).refusal({ip("169.254.169.254"), 80}, {}) ==
      "");
  CHECK(AddressGuard({net("fd00:ec2::/32")}, {}, {}).refusal({ip("fd00:ec2::254"), 80}, {}) ==
        "metadata");
  CHECK(AddressGuard({net("fd00:ec2::254")}, {}, {}).refusal({ip("fd00:ec2::254"), 80}, {}) == "");
}

TEST_CASE("an entry that names the address itself lifts the guard") {
  Decision decision;
  decision.names_address = true;
  CHECK(AddressGuard({}, {}, {}).refusal({ip("10.0.0.1"), 443}, decision) == "");
}

TEST_CASE("own listeners are refused whatever is opened") {
  Decision decision;
  decision.names_address = true;
  const AddressGuard exact({net("0.0.0.0/0")}, {{ip("10.0.0.5"), 8080}}, {});
  CHECK(exact.refusal({ip("10.0.0.5"), 8080}, decision) == "own_listener");
  CHECK(exact.refusal({ip("::ffff:10.0.0.5"), 8080}, decision) == "own_listener");
  CHECK(exact.refusal({ip("10.0.0.5"), 8081}, decision) == "");

  const AddressGuard wildcard({net("0.0.0.0/0")}, {{ip("0.0.0.0"), 8080}},
                              {ip("203.0.113.9"), ip("2606::9")});
  for (const char* own : {"127.0.0.1", "127.0.0.2", "::1", "0.0.0.0", "::", "203.0.113.9",
                          "2606::9", "::ffff:127.0.0.1"}) {
    CHECK_MESSAGE(wildcard.refusal({ip(own), 8080}, decision) == "own_listener", own);
  }
  CHECK(wildcard.refusal({ip("8.8.8.8"), 8080}, decision) == "");

  const AddressGuard admin({net("0.0.0.0/0")}, {{ip("127.0.0.1"), 8081}}, {});
  CHECK(admin.refusal({ip("0.0.0.0"), 8081}, decision) == "own_listener");
}

}  // namespace
}  // namespace leash::policy
