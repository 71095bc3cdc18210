#include "base/authority.h"

#include <doctest/doctest.h>

#include <string>

namespace leash::base {
namespace {

std::string host_or_error(std::string_view text) {
  const auto host = Host::parse(text);
  return host ? host->text() : std::string(word(host.error().code));
}

std::string lenient_or_error(std::string_view text) {
  const auto host = Host::parse_lenient(text);
  return host ? host->text() : std::string(word(host.error().code));
}

std::string target_or_error(std::string_view text) {
  const auto target = parse_connect_target(text);
  return target ? target->text() : std::string(word(target.error().code));
}

std::string authority_or_error(std::string_view text) {
  const auto authority = parse_authority(text, 443);
  return authority ? authority->text() : std::string(word(authority.error().code));
}

}  // namespace

TEST_CASE("a host is lower-cased and loses one trailing dot") {
  CHECK(host_or_error("DeNy.TeSt") == "deny.test");
  CHECK(host_or_error("deny.test.") == "deny.test");
  CHECK(host_or_error("deny.test..") == "bad_host");
  CHECK(host_or_error(".") == "bad_host");
  CHECK(host_or_error("") == "bad_host");
  CHECK(host_or_error(".deny.test") == "bad_host");
  CHECK(host_or_error("deny..test") == "bad_host");
}

TEST_CASE("names that occur in the wild are taken") {
  CHECK(host_or_error("localhost") == "localhost");
  CHECK(host_or_error("_dmarc.a_b.test") == "_dmarc.a_b.test");
  CHECK(host_or_error("r3---sn-4g5e.video.test") == "r3---sn-4g5e.video.test");
  CHECK(host_or_error("1.2.3.test") == "1.2.3.test");
  CHECK(host_or_error("0x7f.test") == "0x7f.test");
  CHECK(host_or_error("dead.beef") == "dead.beef");
  CHECK(host_or_error("1.2.3.4e") == "1.2.3.4e");  // no reader takes "4e" for a number
}

TEST_CASE("labels have at most 63 bytes and hosts 253") {
  const std::string label(63, 'a');
  CHECK(host_or_error(label + ".test") == label + ".test");
  CHECK(host_or_error(label + "a.test") == "host_too_long");
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'b');
  REQUIRE(longest.size() == 253);
  CHECK(host_or_error(longest) == longest);
  CHECK(host_or_error(longest + ".") == longest);
  CHECK(host_or_error(longest + "b") == "host_too_long");
  CHECK(host_or_error(std::string(100000, 'a')) == "host_too_long");
}

TEST_CASE("no byte outside the alphabet passes") {
  for (int c = 0; c < 256; ++c) {
    const std::string text = std::string("a") + static_cast<char>(c) + "b.test";
    const bool is_alphabet = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    CAPTURE(c);
    const auto host = Host::parse(text);
    CHECK(host.has_value() == is_alphabet);
    if (host) continue;
    const Code expected = c > 0x7f ? Code::kNotAscii : c == '@' ? Code::kUserinfo : Code::kBadHost;
    CHECK(host.error().code == expected);
    CHECK(host.error().fault == Fault::kClient);
  }
}

TEST_CASE("a NUL does not hide the rest of a name") {
  CHECK(host_or_error(std::string_view("evil.test\0.allow.test", 21)) == "bad_host");
  CHECK(host_or_error("evil.test%00.allow.test") == "bad_host");
}

TEST_CASE("names in Unicode are refused, in raw and in escaped bytes") {
  CHECK(host_or_error("\xef\xbd\x84\xef\xbd\x85ny.test") == "not_ascii");  // fullwidth
  CHECK(host_or_error("deny\xe3\x80\x82test") == "not_ascii");             // U+3002
  CHECK(host_or_error("b\xc3\xbc"
                      "cher.test") == "not_ascii");
  CHECK(host_or_error("b%C3%BCcher.test") == "bad_host");
}

TEST_CASE("A-labels are taken only where they survive the round trip") {
  CHECK(host_or_error("xn--bcher-kva.test") == "xn--bcher-kva.test");
  CHECK(host_or_error("XN--BCHER-KVA.test") == "xn--bcher-kva.test");
  CHECK(host_or_error("www.xn--bcher-kva.xn--p1ai") == "www.xn--bcher-kva.xn--p1ai");
  CHECK(host_or_error("xn--.test") == "bad_host");
  CHECK(host_or_error("xn--a.test") == "bad_host");
  CHECK(host_or_error("xn--deny-.test") == "bad_host");  // says "deny" in another way
  CHECK(host_or_error("xn--zzzzzzzzz99999.test") == "bad_host");
  CHECK(host_or_error("xn--Bcher-Kva9.test") == "bad_host");
}

TEST_CASE("brackets stand around an IPv6 literal and nothing else") {
  CHECK(host_or_error("[::1]") == "::1");
  CHECK(host_or_error("[2001:DB8:0:0:0:0:0:1]") == "2001:db8::1");
  CHECK(host_or_error("::1") == "bad_host");
  CHECK(host_or_error("[deny.test]") == "bad_host");
  CHECK(host_or_error("[127.0.0.1]") == "bad_host");
  CHECK(host_or_error("[[::1]]") == "bad_host");
  CHECK(host_or_error("[::1") == "bad_host");
  CHECK(host_or_error("::1]") == "bad_host");
  CHECK(host_or_error("[]") == "bad_host");
  CHECK(host_or_error("[") == "bad_host");
  CHECK(host_or_error("[::1].") == "bad_host");
  CHECK(host_or_error("[v1.fe80]") == "bad_host");
}

TEST_CASE("an IPv4-mapped IPv6 literal is the IPv4 address") {
  for (const char* text :
       {"[::ffff:192.0.2.1]", "[::FFFF:c000:201]", "[0:0:0:0:0:ffff:192.0.2.1]"}) {
    const auto host = Host::parse(text);
    REQUIRE(host.has_value());
    CHECK(host->text() == "192.0.2.1");
    CHECK(host->bracketed() == "192.0.2.1");
    CHECK(host->ip()->is_v4());
  }
  CHECK(Host::parse_lenient("::ffff:192.0.2.1")->text() == "192.0.2.1");
  CHECK(leash::base::parse_connect_target("[::ffff:192.0.2.1]:443")->text() == "192.0.2.1:443");
  for (const char* other :
       {"::192.0.2.1", "::ffff:0:192.0.2.1", "64:ff9b::c000:201", "1::ffff:c000:201"}) {
    CHECK_FALSE(Host::parse_lenient(other)->ip()->is_v4());
  }
}

TEST_CASE("zone ids are refused in both escapings") {
  CHECK(host_or_error("[fe80::1%25eth0]") == "bad_host");
  CHECK(host_or_error("[fe80::1%eth0]") == "bad_host");
  CHECK(host_or_error("[::1%lo]") == "bad_host");
}

TEST_CASE("a host that ends in a number is a strict dotted quad or nothing") {
  CHECK(host_or_error("127.0.0.1") == "127.0.0.1");
  CHECK(host_or_error("127.0.0.1.") == "127.0.0.1");
  for (const char* text :
       {"2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "127.1", "127.0.1", "127.0.0.01",
        "127.0.0.0x1", "0x7F.0X1", "1.2.3.256", "1.2.3.4.5", "a.1", "a.0x", "a.test.0x1f", "0",
        "00000000000127.0.0.1", "4294967297", "99999999999999999999.1"}) {
    CAPTURE(text);
    CHECK(host_or_error(text) == "bad_host");
  }
}

TEST_CASE("an IP literal knows its address, a name has none") {
  CHECK(Host::parse("1.2.3.4")->is_ip());
  CHECK(Host::parse("1.2.3.4")->ip() == IpAddress::parse("1.2.3.4"));
  CHECK(Host::parse("[::1]")->bracketed() == "[::1]");
  CHECK(Host::parse("1.2.3.4")->bracketed() == "1.2.3.4");
  CHECK_FALSE(Host::parse("a.test")->is_ip());
  CHECK(Host::from_ip(*IpAddress::parse("::1")) == *Host::parse("[0:0::1]"));
}

TEST_CASE("an operator may write U-labels, bare IPv6 and blanks") {
  CHECK(lenient_or_error("  A.Test. ") == "a.test");
  CHECK(lenient_or_error("b\xc3\xbc"
                         "cher.test") == "xn--bcher-kva.test");
  CHECK(lenient_or_error("B\xc3\x9c"
                         "CHER.test") == "xn--bcher-kva.test");
  CHECK(lenient_or_error("deny\xe3\x80\x82test") == "deny.test");
  CHECK(lenient_or_error("2001:db8::1") == "2001:db8::1");
  CHECK(lenient_or_error("[2001:db8::1]") == "2001:db8::1");
  CHECK(lenient_or_error("10.0.0.1") == "10.0.0.1");
}

TEST_CASE("an operator's mistake is still a mistake, and the proxy's fault") {
  CHECK(lenient_or_error("") == "bad_host");
  CHECK(lenient_or_error("a b.test") == "bad_host");
  CHECK(lenient_or_error("*.test") == "bad_host");
  CHECK(lenient_or_error("user@a.test") == "userinfo");
  CHECK(lenient_or_error("127.1") == "bad_host");
  CHECK(lenient_or_error("b\xc3.test") == "not_ascii");
  CHECK(lenient_or_error(std::string_view("b\xc3\xbc\0.test", 8)) == "not_ascii");
  CHECK(lenient_or_error("\xe2\x80\x8d.test") == "bad_host");  // a joiner alone
  CHECK(Host::parse_lenient("a b").error().fault == Fault::kProxy);
}

TEST_CASE("CONNECT without a port is refused") {
  CHECK(target_or_error("a.test:443") == "a.test:443");
  CHECK(target_or_error("A.Test.:8443") == "a.test:8443");
  CHECK(target_or_error("[::1]:443") == "[::1]:443");
  CHECK(target_or_error("a.test") == "bad_syntax");
  CHECK(target_or_error("[::1]") == "bad_syntax");
  CHECK(target_or_error("") == "bad_syntax");
  CHECK(target_or_error(":443") == "bad_host");
  CHECK(target_or_error("::1:443") == "bad_host");
  CHECK(target_or_error("[::1]443") == "bad_syntax");
  CHECK(target_or_error("[::1]x:443") == "bad_host");
  CHECK(target_or_error("[deny.test]:443") == "bad_host");
}

TEST_CASE("a port is 1 to 65535 in plain digits") {
  CHECK(target_or_error("a.test:1") == "a.test:1");
  CHECK(target_or_error("a.test:65535") == "a.test:65535");
  for (const char* port : {"", "0", "65536", "+443", "-1", "0443", "443 ", " 443", "4 43", "0x1bb",
                           "443/", "443?", "99999999999999999999"}) {
    CAPTURE(port);
    CHECK(target_or_error(std::string("a.test:") + port) == "bad_port");
    CHECK(authority_or_error(std::string("a.test:") + port) == "bad_port");
  }
}

TEST_CASE("userinfo is refused wherever the at sign stands") {
  CHECK(target_or_error("a.test@d.test:443") == "userinfo");
  CHECK(target_or_error("a.test:80@d.test") == "userinfo");
  CHECK(authority_or_error("a.test:80@d.test") == "userinfo");
  CHECK(authority_or_error("@d.test") == "userinfo");
  CHECK(authority_or_error("a%40d.test") == "bad_host");
}

TEST_CASE("an authority takes the default port where it names none") {
  CHECK(authority_or_error("a.test") == "a.test:443");
  CHECK(authority_or_error("a.test:80") == "a.test:80");
  CHECK(authority_or_error("[::1]") == "[::1]:443");
  CHECK(authority_or_error("[::1]:80") == "[::1]:80");
  CHECK(authority_or_error("") == "bad_host");
  CHECK(authority_or_error("a.test, d.test") == "bad_host");
  CHECK(authority_or_error("a.test d.test") == "bad_host");
  CHECK(authority_or_error("a:b:80") == "bad_host");
}

TEST_CASE("an authority is written with its port or without the default one") {
  const Authority authority = *parse_authority("[::1]:8443", 443);
  CHECK(authority.text() == "[::1]:8443");
  CHECK(authority.text_without(443) == "[::1]:8443");
  CHECK(authority.text_without(8443) == "[::1]");
}

TEST_CASE("what was written reads back as the same authority") {
  for (const char* text :
       {"a.test:443", "[2001:db8::1]:1", "1.2.3.4:65535", "xn--bcher-kva.test:80"}) {
    CAPTURE(text);
    const auto first = parse_connect_target(text);
    REQUIRE(first);
    CHECK(*parse_connect_target(first->text()) == *first);
    CHECK(*parse_authority(first->text_without(443), 443) == *first);
  }
}

}  // namespace leash::base
