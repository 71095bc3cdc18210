#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "tls/authority_store.h"
#include "tls/certificate.h"
#include "tls/leaf.h"

namespace leash::tls {
namespace {

using std::chrono::hours;
using Time = std::chrono::system_clock::time_point;

// Leaves without content, counted; may be made to fail or to wait.
class CountingIssuer final : public Issuer {
 public:
  base::Result<std::shared_ptr<const Leaf>> issue(const base::Host& host) override {
    std::unique_lock lock(mutex_);
    ++counts_[host.text()];
    changed_.notify_all();
    changed_.wait(lock, [this] { return !is_held_; });
    if (is_broken_) return base::fail(base::Code::kIo, base::Fault::kProxy, "broken");
    return std::make_shared<const Leaf>(nullptr, nullptr, Time(now_) - hours(1),
                                        Time(now_) + hours(6 * 24));
  }
  const std::string& certificate_pem() const override { return none_; }
  std::string fingerprint() const override { return {}; }
  const std::string& certificate_path() const override { return none_; }

  int count(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return counts_[name];
  }
  void set_broken(bool is_broken) {
    const std::lock_guard lock(mutex_);
    is_broken_ = is_broken;
  }
  void hold() {
    const std::lock_guard lock(mutex_);
    is_held_ = true;
  }
  void release() {
    const std::lock_guard lock(mutex_);
    is_held_ = false;
    changed_.notify_all();
  }
  void wait_until_asked(const std::string& name) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return counts_[name] > 0; });
  }
  Time now() const { return now_; }
  void advance(hours by) { now_ = now_.load() + by; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, int> counts_;
  bool is_broken_ = false;
  bool is_held_ = false;
  std::atomic<Time> now_{Time(hours(500000))};
  std::string none_;
};

struct Cache {
  explicit Cache(std::size_t max = 3)
      : leaves(make_leaf_cache(issuer, max, [this] { return issuer.now(); })) {}

  std::shared_ptr<const Leaf> get(const std::string& name) {
    std::shared_ptr<const Leaf> out;
    bool is_called = false;
    leaves->leaf_for(*base::Host::parse(name), [&](auto leaf) {
      is_called = true;
      if (leaf) out = *leaf;
    });
    CHECK(is_called);
    return out;
  }

  CountingIssuer issuer;
  std::unique_ptr<LeafSource> leaves;
};

TEST_CASE("a leaf is minted once, however its name is written") {
  Cache cache;
  const auto leaf = cache.get("a.test");
  REQUIRE(leaf);
  CHECK(cache.get("A.TEST.") == leaf);
  CHECK(cache.get("a.test") == leaf);
  CHECK(cache.issuer.count("a.test") == 1);
}

TEST_CASE("the leaf used longest ago goes first") {
  Cache cache;
  for (const char* name : {"a.test", "b.test", "c.test", "a.test", "d.test", "a.test"}) {
    CHECK(cache.get(name));
  }
  CHECK(cache.issuer.count("a.test") == 1);
  CHECK(cache.get("b.test"));
  CHECK(cache.issuer.count("b.test") == 2);
}

TEST_CASE("a leaf near its end is minted anew, and so is one of the future") {
  Cache cache;
  CHECK(cache.get("a.test"));
  cache.issuer.advance(hours(6 * 24 - 1));
  CHECK(cache.get("a.test"));
  CHECK(cache.issuer.count("a.test") == 1);
  cache.issuer.advance(hours(1));
  CHECK(cache.get("a.test"));
  CHECK(cache.issuer.count("a.test") == 2);
  cache.issuer.advance(hours(-48));  // the clock was set right
  CHECK(cache.get("a.test"));
  CHECK(cache.issuer.count("a.test") == 3);
}

TEST_CASE("a failure is told and not kept") {
  Cache cache;
  cache.issuer.set_broken(true);
  CHECK_FALSE(cache.get("a.test"));
  cache.issuer.set_broken(false);
  CHECK(cache.get("a.test"));
  CHECK(cache.issuer.count("a.test") == 2);
}

TEST_CASE("threads that want one name share one minting, and others do not wait for it") {
  Cache cache(100);
  cache.issuer.hold();
  std::vector<std::shared_ptr<const Leaf>> got(4);
  std::vector<std::thread> threads;
  for (auto& leaf : got) {
    threads.emplace_back([&cache, &leaf] { leaf = cache.get("a.test"); });
  }
  cache.issuer.wait_until_asked("a.test");
  std::thread other([&cache] { (void)cache.get("b.test"); });
  cache.issuer.wait_until_asked("b.test");  // would not come if a.test's minting held the lock
  cache.issuer.release();
  for (std::thread& thread : threads) thread.join();
  other.join();
  for (const auto& leaf : got) CHECK(leaf == got.front());
  CHECK(got.front() != nullptr);
  CHECK(cache.issuer.count("a.test") == 1);
}

}  // namespace
}  // namespace leash::tls
