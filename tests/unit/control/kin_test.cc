#include "control/kin.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <array>
#include <functional>
#include <map>
#include <string>

#include "support/run_until.h"

using leash::audit::LogWriter;
using leash::base::Fd;
using leash::control::Kin;
using leash::test::run_until;

namespace {

using Standing = LogWriter::Standing;

// A process's kin, and the other ends of what it is connected to.
struct Fixture {
  leash::net::Loop loop;
  Standing standing = Standing::kNewest;  // as the log is opened where there are ancestors
  Kin kin{loop, [this](Standing now, const std::function<void()>& done) {
            standing = now;
            if (done) done();
          }};
  std::map<std::string, Fd> others;

  void add(const std::string& name) {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) == 0);
    others[name] = Fd(ends[0]);
    kin.add_ancestor(Fd(ends[1]));
  }
  // Whether the kin has heard of it.
  bool end(const std::string& name) {
    const std::size_t before = kin.copies().size();
    others[name].reset();
    return run_until(loop, [&] { return kin.copies().size() < before; });
  }
};

}  // namespace

TEST_CASE("the log is this process's alone once all that came before have ended") {
  Fixture f;
  f.add("first");
  f.add("second");
  CHECK(f.end("second"));
  CHECK(f.standing == Standing::kNewest);
  CHECK(f.end("first"));
  CHECK(f.standing == Standing::kAlone);
}

TEST_CASE("a process that has a successor does not own the log when the one before it ends") {
  Fixture f;
  f.add("first");
  bool is_told = false;
  f.kin.add_successor([&] { is_told = true; });
  CHECK(is_told);
  CHECK(f.standing == Standing::kReplaced);
  CHECK(f.end("first"));
  CHECK(f.standing == Standing::kReplaced);
  f.kin.lose_successor();
  CHECK(f.standing == Standing::kAlone);
}

TEST_CASE("without its successor a process is the newest again while one before it writes") {
  Fixture f;
  f.add("first");
  f.kin.add_successor({});
  f.kin.lose_successor();
  CHECK(f.standing == Standing::kNewest);
  CHECK(f.end("first"));
  CHECK(f.standing == Standing::kAlone);
}

TEST_CASE("a message that comes late is not the end of whoever sent it") {
  Fixture f;
  f.add("first");
  f.add("second");
  REQUIRE(::send(f.others["first"].get(), "D", 1, 0) == 1);
  CHECK(f.end("second"));  // by then the loop has looked at both
  CHECK(f.standing == Standing::kNewest);
  CHECK(f.end("first"));
  CHECK(f.standing == Standing::kAlone);
}

TEST_CASE("an ancestor whose end cannot be seen is taken to live") {
  Fixture f;
  f.add("first");
  for (const Fd& copy : f.kin.copies()) ::shutdown(copy.get(), SHUT_RD);
  f.add("second");
  CHECK(f.end("second"));
  CHECK(f.kin.copies().size() == 1);
  CHECK(f.standing == Standing::kNewest);
}
