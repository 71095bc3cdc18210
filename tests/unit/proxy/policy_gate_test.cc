#include <doctest/doctest.h>

#include "proxy/gates/policy.h"
#include "unit/config/temp_dir.h"

namespace leash::proxy {
namespace {

constexpr const char* kAllowed = "allow:\n- host: a.example\n";
constexpr const char* kNothing = "allow: []\n";

struct Bench {
  Bench() {
    dir.rewrite("mode", "enforce\n");
    dir.rewrite("enforce.yaml", kAllowed);
    files = std::make_unique<config::PolicyFiles>(
        dir.path(), [](const config::PolicyFiles::Change&) {}, [this] { return now; });
    gate = std::make_unique<PolicyGate>(loop, *files);
    now += std::chrono::milliseconds(30);  // until what was just written has been quiet for long
    (void)files->current();
  }
  // Whether a request that comes now passes.
  bool passes() {
    Context context;
    context.scheme = "https";
    context.authority = {*base::Host::parse("a.example"), 443};
    context.head.method = "GET";
    context.head.path = "/";
    std::optional<bool> passed;
    const auto held =
        gate->check(context, [&](const std::optional<Refusal>& refusal) { passed = !refusal; });
    CHECK(held == nullptr);
    return passed.value();
  }

  config::TempDir dir;
  net::Loop loop;
  std::chrono::steady_clock::time_point now{std::chrono::hours(1)};
  std::unique_ptr<config::PolicyFiles> files;
  std::unique_ptr<PolicyGate> gate;
};

TEST_CASE("each request is decided by the files as they are") {
  Bench bench;
  CHECK(bench.passes());
  bench.dir.replace("enforce.yaml", kNothing);
  CHECK_FALSE(bench.passes());
  bench.dir.replace("enforce.yaml", kAllowed);
  CHECK(bench.passes());
}

TEST_CASE("requests of one read share a look at the files, which is made once they are there") {
  Bench bench;
  CHECK(bench.passes());
  {
    const PolicyGate::OneLook look(*bench.gate);
    bench.dir.replace("enforce.yaml", kNothing);
    CHECK_FALSE(bench.passes());  // nothing from before the look
    bench.dir.replace("enforce.yaml", kAllowed);
    CHECK_FALSE(bench.passes());
  }
  CHECK(bench.passes());
  bench.dir.replace("enforce.yaml", kNothing);
  const PolicyGate::OneLook look(*bench.gate);
  CHECK_FALSE(bench.passes());
}

TEST_CASE("a look inside another one is its own") {
  Bench bench;
  const PolicyGate::OneLook outer(*bench.gate);
  CHECK(bench.passes());
  {
    bench.dir.replace("enforce.yaml", kNothing);
    const PolicyGate::OneLook inner(*bench.gate);
    CHECK_FALSE(bench.passes());
  }
  bench.dir.replace("enforce.yaml", kAllowed);
  CHECK(bench.passes());
}

TEST_CASE("what waits for a half written file is not shared") {
  Bench bench;
  const PolicyGate::OneLook look(*bench.gate);
  bench.dir.rewrite("enforce.yaml", kNothing);
  Context context;
  context.scheme = "https";
  context.authority = {*base::Host::parse("a.example"), 443};
  int answers = 0;
  const auto first = bench.gate->check(context, [&](const auto&) { ++answers; });
  const auto second = bench.gate->check(context, [&](const auto&) { ++answers; });
  CHECK(first != nullptr);
  CHECK(second != nullptr);
  CHECK(answers == 0);
}

}  // namespace
}  // namespace leash::proxy
