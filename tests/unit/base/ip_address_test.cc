#include "base/ip_address.h"

#include <doctest/doctest.h>

#include <string>

namespace leash::base {
namespace {

std::string text_of(std::string_view text) {
  const auto ip = IpAddress::parse(text);
  return ip ? ip->text() : "refused";
}

std::string network_of(std::string_view text) {
  const auto network = Network::parse(text);
  return network ? network->text() : std::string(word(network.error().code));
}

std::string socket_of(std::string_view text) {
  const auto address = SocketAddress::parse(text);
  return address ? address->text() : std::string(word(address.error().code));
}

bool is_in(std::string_view network, std::string_view ip) {
  return Network::parse(network)->contains(*IpAddress::parse(ip));
}

}  // namespace

TEST_CASE("an IPv4 address is four plain octets") {
  CHECK(text_of("0.0.0.0") == "0.0.0.0");
  CHECK(text_of("255.255.255.255") == "255.255.255.255");
  for (const char* text : {"", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.04",
                           "0x1.2.3.4", "1..2.3", "1.2.3.4.", " 1.2.3.4", "1.2.3.4 ", "1.2.3.-4"}) {
    CAPTURE(text);
    CHECK(text_of(text) == "refused");
  }
  CHECK(text_of(std::string_view("1.2.3.4\0", 8)) == "refused");
  CHECK(text_of(std::string_view("1.2.3.4\0.x", 10)) == "refused");
}

TEST_CASE("an IPv6 address is written as RFC 5952 wants") {
  CHECK(text_of("::") == "::");
  CHECK(text_of("2001:DB8:0:0:1:0:0:1") == "2001:db8::1:0:0:1");
  CHECK(text_of("2001:db8:0:1:1:1:1:1") == "2001:db8:0:1:1:1:1:1");
  CHECK(text_of("2001:0db8::0001") == "2001:db8::1");
  CHECK(text_of("::ffff:7f00:1") == "::ffff:127.0.0.1");
  CHECK(text_of("64:ff9b::1.2.3.4") == "64:ff9b::102:304");
  for (const char* text : {":", ":::", "1::2::3", "::1%lo", "[::1]", "1:2:3:4:5:6:7", "12345::",
                           "1:2:3:4:5:6:7:8:9", "::1.2.3", "::01.2.3.4", "::1/64", "::g"}) {
    CAPTURE(text);
    CHECK(text_of(text) == "refused");
  }
  CHECK(text_of(std::string(1000, ':')) == "refused");
}

TEST_CASE("values go in and out in the orders that they say") {
  const IpAddress ip = IpAddress::v4(0x0a000001);
  CHECK(ip.text() == "10.0.0.1");
  CHECK(ip.v4_value() == 0x0a000001);
  CHECK(ip.bytes()[0] == 10);
  CHECK(ip == *IpAddress::parse("10.0.0.1"));
  CHECK(ip != *IpAddress::parse("::ffff:10.0.0.1"));
  CHECK(IpAddress::v6(IpAddress::parse("::1")->bytes()) == *IpAddress::parse("::1"));
  CHECK(IpAddress().text() == "0.0.0.0");
}

TEST_CASE("a network is an address with a prefix, host bits ignored") {
  CHECK(network_of("10.0.0.0/8") == "10.0.0.0/8");
  CHECK(network_of("10.1.2.3/8") == "10.0.0.0/8");
  CHECK(network_of("10.1.2.3") == "10.1.2.3/32");
  CHECK(network_of("fd00::1/8") == "fd00::/8");
  CHECK(network_of("::1") == "::1/128");
  CHECK(network_of("1.2.3.4/0") == "0.0.0.0/0");
  CHECK(network_of("10.255.0.0/9") == "10.128.0.0/9");
  for (const char* text : {"", "/", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/-1",
                           "10.0.0/8", "::/129", "10.0.0.0/8/8", "10.0.0.0/255.0.0.0", "a/8"}) {
    CAPTURE(text);
    CHECK(network_of(text) == "bad_syntax");
  }
}

TEST_CASE("a network contains its addresses and those of no other family") {
  CHECK(is_in("10.0.0.0/8", "10.255.255.255"));
  CHECK_FALSE(is_in("10.0.0.0/8", "11.0.0.0"));
  CHECK(is_in("10.128.0.0/9", "10.128.0.1"));
  CHECK_FALSE(is_in("10.128.0.0/9", "10.127.255.255"));
  CHECK(is_in("0.0.0.0/0", "255.1.2.3"));
  CHECK(is_in("::/0", "2001:db8::1"));
  CHECK(is_in("1.2.3.4", "1.2.3.4"));
  CHECK_FALSE(is_in("1.2.3.4", "1.2.3.5"));
  CHECK(is_in("fd00:ec2::254", "fd00:ec2::254"));
  CHECK_FALSE(is_in("10.0.0.0/8", "::ffff:10.0.0.1"));
  CHECK_FALSE(is_in("::/0", "10.0.0.1"));
}

TEST_CASE("a socket address has brackets for IPv6 and a port") {
  CHECK(socket_of("127.0.0.1:8080") == "127.0.0.1:8080");
  CHECK(socket_of("[::1]:0") == "[::1]:0");
  CHECK(socket_of("[::]:65535") == "[::]:65535");
  for (const char* text : {"", "8080", "127.0.0.1", "localhost:80", "::1:80", "[127.0.0.1]:80",
                           "[::1]", "[::1:80", ":80"}) {
    CAPTURE(text);
    CHECK(socket_of(text) == "bad_syntax");
  }
  for (const char* text : {"127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:080", "127.0.0.1:+80"}) {
    CAPTURE(text);
    CHECK(socket_of(text) == "bad_port");
  }
}

}  // namespace leash::base
