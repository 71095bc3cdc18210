#include "config/host_list.h"

#include <doctest/doctest.h>

#include <chrono>

namespace leash::config {
namespace {

TEST_CASE("plain lists and hosts files are read, comments are not") {
  const auto list = read_host_list(
      "# ads\n"
      "ads.example\n"
      "0.0.0.0 tracker.example  # one\r\n"
      "127.0.0.1\ta.example b.example\n"
      "::1 ip6.example\n"
      "fe80::1%lo0 zone.example\n"
      "\n"
      "*.Wild.Example.\n"
      "bücher.example\n"
      "last.example",
      "lists/ads.txt");
  REQUIRE(list.hosts != nullptr);
  CHECK(list.findings.empty());
  CHECK(list.hosts->file() == "lists/ads.txt");
  const std::pair<const char*, int> lines[] = {
      {"ads.example", 2},  {"tracker.example", 3},       {"a.example", 4},
      {"b.example", 4},    {"ip6.example", 5},           {"zone.example", 6},
      {"wild.example", 8}, {"xn--bcher-kva.example", 9}, {"last.example", 10}};
  for (const auto& each : lines) {
    CHECK_MESSAGE(list.hosts->line_of(each.first) == each.second, each.first);
  }
  CHECK(list.hosts->size() == 9);
}

TEST_CASE("a word that is no host is a finding, the others count") {
  const auto list =
      read_host_list("||ads.example^\ngood.example\nbad..example\nfoo good2.example\n", "x");
  REQUIRE(list.hosts != nullptr);
  CHECK(list.findings.size() == 3);
  CHECK(list.findings[0].line == 1);
  CHECK(list.hosts->line_of("good.example") == 2);
  CHECK(list.hosts->line_of("good2.example") == 4);
}

TEST_CASE("names with digits, addresses and A-labels take the careful way") {
  const auto list =
      read_host_list("a.b2\n10.0.0.1\n0x7f.1\nxn--bcher-kva.example\nxn--.example\n1e5.com\n", "x");
  CHECK(list.hosts->line_of("a.b2") == 1);
  CHECK(list.hosts->line_of("10.0.0.1") == 2);
  CHECK(list.hosts->line_of("xn--bcher-kva.example") == 4);
  CHECK(list.hosts->line_of("1e5.com") == 6);
  CHECK(list.findings.size() == 2);
}

TEST_CASE("what is no text is no list") {
  CHECK(read_host_list(std::string_view("a\0b", 3), "x").hosts == nullptr);
  CHECK(read_host_list("\xff\xfe", "x").hosts == nullptr);
  CHECK(read_host_list("", "x").hosts->size() == 0);
}

}  // namespace
}  // namespace leash::config
