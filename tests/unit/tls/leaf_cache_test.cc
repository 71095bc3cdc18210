#include "tls/leaf_cache.h"

#include <doctest/doctest.h>

#include <string>

#include "tls/leaf.h"

namespace leash::tls {
namespace {

using std::chrono::hours;
using Time = std::chrono::system_clock::time_point;

base::Host host(const std::string& name) { return *base::Host::parse(name); }

// A cache of leaves without content, with a clock of its own.
struct Cache {
  explicit Cache(std::size_t max = 3) : leaves(max, [this] { return now; }) {}

  std::shared_ptr<const Leaf> put(const std::string& name) {
    auto leaf = std::make_shared<const Leaf>(nullptr, nullptr, now - hours(1), now + hours(6 * 24));
    leaves.keep(host(name), leaf);
    return leaf;
  }
  std::shared_ptr<const Leaf> get(const std::string& name) { return leaves.find(host(name)); }

  Time now{hours(500000)};
  LeafCache leaves;
};

TEST_CASE("a leaf is found, however its name is written") {
  Cache cache;
  CHECK(cache.get("a.test") == nullptr);
  const auto leaf = cache.put("a.test");
  CHECK(cache.get("A.TEST.") == leaf);
  CHECK(cache.get("b.test") == nullptr);
  const auto next = cache.put("a.test");
  CHECK(cache.get("a.test") == next);
}

TEST_CASE("the leaf used longest ago goes first") {
  Cache cache;
  for (const char* name : {"a.test", "b.test", "c.test"}) cache.put(name);
  CHECK(cache.get("a.test"));
  cache.put("d.test");
  CHECK(cache.get("a.test"));
  CHECK(cache.get("b.test") == nullptr);
  CHECK(cache.get("c.test"));
  CHECK(cache.get("d.test"));
}

TEST_CASE("a leaf near its end is not given out, nor one of the future") {
  Cache cache;
  cache.put("a.test");
  cache.now += hours(6 * 24 - 1);
  CHECK(cache.get("a.test"));
  cache.now += hours(1);
  CHECK(cache.get("a.test") == nullptr);
  cache.put("a.test");
  cache.now -= hours(48);  // the clock was set right
  CHECK(cache.get("a.test") == nullptr);
}

}  // namespace
}  // namespace leash::tls
