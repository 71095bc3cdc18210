#include "control/handover.h"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <filesystem>
#include <future>
#include <optional>
#include <string>

#include "support/run_until.h"

using namespace std::chrono_literals;
using leash::base::Result;
using leash::control::Predecessor;
using leash::control::Successor;
using leash::test::run_until;
namespace fs = std::filesystem;

namespace {

// A process that serves, on this thread's loop. What a successor does is on a thread of its own,
// since it waits.
struct Fixture {
  leash::net::Loop loop;
  fs::path dir;
  std::string path;
  int shares = 0, resumes = 0, retirements = 0, bereavements = 0;
  std::optional<Predecessor> old;

  Fixture() {
    std::string name = (fs::temp_directory_path() / "leash-handover-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    dir = name;
    path = leash::control::handover_path(dir.string());
    auto listener = leash::control::listen_for_successor(path);
    REQUIRE(listener);
    old.emplace(loop, std::move(*listener), dir.string(),
                Predecessor::Callbacks{
                    .estate = [] { return leash::control::Estate{.run_id = "abcd", .log = "log"}; },
                    .share =
                        [this](const std::function<void()>& done) {
                          ++shares;
                          done();
                        },
                    .resume = [this] { ++resumes; },
                    .retire = [this](pid_t) { ++retirements; },
                    .bereave = [this] { ++bereavements; }});
  }
  ~Fixture() { fs::remove_all(dir); }

  // What `work` returns, while the old process goes on.
  template <class Work>
  auto meanwhile(Work work) {
    auto result = std::async(std::launch::async, work);
    REQUIRE(run_until(loop, [&] {
      loop.post([] {});  // a turn that does not wait
      return result.wait_for(0s) == std::future_status::ready;
    }));
    return result.get();
  }
  // One that is ready.
  Successor successor(std::chrono::milliseconds patience = Successor::kPatience) {
    auto made = meanwhile([this, patience]() -> Result<Successor> {
      auto out = Successor::connect(path, patience);
      if (!out) return out;
      if (auto ready = out->ready(); !ready) return tl::unexpected(ready.error());
      return out;
    });
    REQUIRE(made);
    return std::move(*made);
  }
};

sockaddr_un address_of(const std::string& name) {
  sockaddr_un out{};
  out.sun_family = AF_UNIX;
  name.copy(out.sun_path, sizeof out.sun_path - 1);
  return out;
}

// What the old process says first to a socket of this name (nullopt: of none); "" where it hangs
// up.
std::string first_word(Fixture& f, const std::optional<std::string>& name) {
  return f.meanwhile([&f, &name]() -> std::string {
    const leash::base::Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (name) {
      const sockaddr_un mine = address_of(*name);
      if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&mine), sizeof mine) != 0) return "?";
    }
    const sockaddr_un theirs = address_of(f.path);
    (void)::connect(fd.get(), reinterpret_cast<const sockaddr*>(&theirs), sizeof theirs);
    std::array<char, 8192> text{};
    const ssize_t got = ::recv(fd.get(), text.data(), text.size(), 0);
    return {text.data(), got > 0 ? 1U : 0U};
  });
}

}  // namespace

TEST_CASE("a successor serves, and its end is seen") {
  Fixture f;
  {
    Successor successor = f.successor();
    CHECK(f.shares == 1);
    CHECK(f.meanwhile([&] { return successor.serving(); }));
    CHECK(f.retirements == 1);
    CHECK(f.bereavements == 0);
  }
  CHECK(run_until(f.loop, [&] { return f.bereavements == 1; }));
  CHECK(f.resumes == 0);
}

TEST_CASE("a process that has given up waiting is not made way for") {
  Fixture f;
  Successor successor = f.successor(5s);
  // The old process stands still.
  const auto serving = successor.serving();
  REQUIRE_FALSE(serving);
  CHECK(serving.error().detail == "upgrade: the old leash does not answer");
  // Now it hears what was said meanwhile; the other one still finishes what it had begun.
  CHECK(run_until(f.loop, [&] { return f.resumes == 1; }));
  CHECK(f.retirements == 0);
  // And the next one can take over.
  Successor next = f.successor();
  CHECK(f.meanwhile([&] { return next.serving(); }));
  CHECK(f.retirements == 1);
}

TEST_CASE("an old process that breaks off and lives on says so") {
  Fixture f;
  Successor successor = f.successor();
  const auto again = f.meanwhile([&] { return successor.ready(); });  // once too often
  REQUIRE_FALSE(again);
  CHECK(again.error().detail == "upgrade: the old leash has given up and goes on");
  CHECK(f.resumes == 1);
  CHECK(f.retirements == 0);
}

TEST_CASE("where the old process has ended, its successor serves") {
  Fixture f;
  Successor successor = f.successor();
  f.old.reset();
  CHECK(f.meanwhile([&] { return successor.serving(); }));
}

TEST_CASE("a process that does not show that it may make a socket beside the CA is told nothing") {
  Fixture f;
  fs::create_directory(f.dir / "elsewhere");
  CHECK(first_word(f, std::nullopt).empty());
  CHECK(first_word(f, "").empty());  // a name that is no file
  CHECK(first_word(f, (f.dir / "elsewhere" / "heir.1").string()).empty());
  CHECK(first_word(f, (f.dir / "other.1").string()).empty());
  CHECK(first_word(f, (f.dir / "heir.1").string()) == "A");
  CHECK(f.shares == 0);
}

TEST_CASE("a newcomer leaves no file behind") {
  Fixture f;
  {
    const Successor successor = f.successor();
    CHECK(std::distance(fs::directory_iterator(f.dir), {}) == 1);
  }
  f.old.reset();
  CHECK_FALSE(Successor::connect(f.path));
  CHECK(std::distance(fs::directory_iterator(f.dir), {}) == 1);  // the listener's own
}

TEST_CASE("a process that takes nobody's place finds that another one lives") {
  Fixture f;
  CHECK_FALSE(leash::control::expect_nobody(f.path));
  // Also where it has been replaced and accepts nobody, however many try.
  {
    Successor successor = f.successor();
    CHECK(f.meanwhile([&] { return successor.serving(); }));
  }
  for (int i = 0; i < 10; ++i) CHECK_FALSE(leash::control::expect_nobody(f.path));
  CHECK_FALSE(leash::control::listen_for_successor(f.path));
  f.old.reset();
  CHECK(leash::control::expect_nobody(f.path));
  CHECK(leash::control::listen_for_successor(f.path));
}
