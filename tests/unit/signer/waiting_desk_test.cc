#include "signer/waiting_desk.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <optional>
#include <string>
#include <thread>

#include "signer/service.h"
#include "unit/tls/temp_dir.h"

namespace leash::signer {
namespace {

using LeafResult = base::Result<std::shared_ptr<const tls::Leaf>>;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::system_clock;

base::Host host(const std::string& text) { return *base::Host::parse(text); }

// A desk, a clock that can be moved, and a signer on a thread.
struct Rig {
  explicit Rig(milliseconds patience = std::chrono::minutes(1)) {
    const auto key = tls::LeafKey::make();
    REQUIRE(key);
    auto opened = tls::open_issuer(dir.path(), key->point());
    REQUIRE(opened);
    issuer = std::move(*opened);
    pem = issuer->certificate_pem();
    auto made = tls::LeafAssembler::make(*key, pem);
    REQUIRE(made);
    assembler.emplace(std::move(*made));
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) == 0);
    theirs = base::Fd(ends[1]);
    desk.emplace(base::Fd(ends[0]), Desk::Shared{cache, *assembler, pem, counts}, patience);
  }
  ~Rig() {
    if (!signer.joinable()) return;
    ::shutdown(theirs.get(), SHUT_RDWR);
    signer.join();
  }
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  void serve() {
    signer = std::thread([this] {
      std::string buffer(kMaxRequestBytes, '\0');
      for (;;) {
        const ssize_t got = ::recv(theirs.get(), buffer.data(), buffer.size(), 0);
        if (got <= 0) return;
        const std::string answer =
            answer_to(*issuer, std::string_view(buffer).substr(0, static_cast<std::size_t>(got)));
        ::send(theirs.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
      }
    });
  }
  LeafResult ask(const std::string& name) {
    std::optional<LeafResult> result;
    desk->leaf_for(host(name), [&result](LeafResult got) { result = std::move(got); });
    REQUIRE(result);  // within the call
    return *result;
  }

  tls::TempDir dir;
  std::atomic<system_clock::time_point> now{system_clock::now()};
  std::unique_ptr<tls::Issuer> issuer;
  std::string pem;
  std::optional<tls::LeafAssembler> assembler;
  tls::LeafCache cache{10, [this] { return now.load(); }};
  Counts counts;
  base::Fd theirs;
  std::optional<WaitingDesk> desk;
  std::thread signer;
};

TEST_CASE("who waits has a leaf, and the kept one until it has less than a day to go") {
  Rig rig;
  rig.serve();
  const LeafResult first = rig.ask("console.test");
  REQUIRE(first);
  rig.now = rig.now.load() + hours(24 * 5);
  const LeafResult again = rig.ask("console.test");
  REQUIRE(again);
  CHECK(*again == *first);
  CHECK(rig.counts.minted == 1);
  rig.now = rig.now.load() + hours(25);
  const LeafResult second = rig.ask("console.test");
  REQUIRE(second);
  CHECK(*second != *first);
  CHECK(rig.counts.minted == 2);
}

TEST_CASE("who waits is told after his patience that there is no signer") {
  Rig rig(milliseconds(30));
  const LeafResult late = rig.ask("console.test");
  REQUIRE_FALSE(late);
  CHECK(late.error().code == base::Code::kSignerUnavailable);
  // It comes after all, with the answer to a question that nobody asks any more.
  rig.serve();
  const auto comes =
      [&rig](const char* name) {  // within some patience, on a machine that may be slow
        for (int i = 0; i < 2000; ++i) {
          if (rig.ask(name)) return true;
        }
        return false;
      };
  CHECK(comes("other.test"));
  CHECK(comes("console.test"));
}

TEST_CASE("who waits is told when the signer ends for good") {
  Rig rig;
  rig.theirs.reset();
  CHECK_FALSE(rig.ask("console.test"));
  CHECK_FALSE(rig.ask("console.test"));
  CHECK(rig.counts.is_gone);
}

}  // namespace
}  // namespace leash::signer
