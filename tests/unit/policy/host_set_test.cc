#include "policy/host_set.h"

#include <doctest/doctest.h>

namespace leash::policy {
namespace {

TEST_CASE("an empty set finds nothing") {
  const HostSet set("x");
  CHECK(set.line_of("a.example") == 0);
  CHECK(set.size() == 0);
}

TEST_CASE("a name is found with the line it was added with first") {
  HostSet set("x");
  CHECK(set.add("a.example", 3));
  CHECK_FALSE(set.add("a.example", 9));
  CHECK(set.add("b.example", 4));
  CHECK(set.line_of("a.example") == 3);
  CHECK(set.line_of("b.example") == 4);
  CHECK(set.line_of("a.exampl") == 0);
  CHECK(set.line_of("") == 0);
  CHECK(set.size() == 2);
}

TEST_CASE("a name longer than 255 bytes is refused") {
  HostSet set("x");
  CHECK_FALSE(set.add(std::string(256, 'a'), 1));
  CHECK(set.add(std::string(255, 'a'), 1));
  CHECK(set.line_of(std::string(255, 'a')) == 1);
}

TEST_CASE("a hundred thousand names stay findable and compact") {
  HostSet set("x");
  for (int i = 1; i <= 100'000; ++i) set.add("host-" + std::to_string(i) + ".example.net", i);
  CHECK(set.size() == 100'000);
  CHECK(set.memory_bytes() < std::size_t{15'000'000});
  int wrong = 0;
  for (int i = 1; i <= 100'000; ++i) {
    if (set.line_of("host-" + std::to_string(i) + ".example.net") != i) ++wrong;
    if (set.line_of("miss-" + std::to_string(i) + ".example.net") != 0) ++wrong;
  }
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace leash::policy
