#include "signer/desk.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <optional>
#include <string>

#include "signer/rate.h"
#include "signer/service.h"
#include "unit/tls/temp_dir.h"

namespace leash::signer {
namespace {

using LeafResult = base::Result<std::shared_ptr<const tls::Leaf>>;

base::Host host(const std::string& text) { return *base::Host::parse(text); }

// A desk, with the other end of its socket in the test's hands.
struct Rig {
  explicit Rig(std::chrono::milliseconds patience = Desk::kPatience) {
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
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) ==
            0);
    theirs = base::Fd(ends[1]);
    desk.emplace(loop, base::Fd(ends[0]), Desk::Shared{cache, *assembler, pem, counts},
                 Desk::Voice::kSpeaks, patience);
  }

  // What the desk has asked for, and not been read yet.
  std::optional<std::string> take() {
    std::string buffer(kMaxRequestBytes, '\0');
    const ssize_t got = ::recv(theirs.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got <= 0) return std::nullopt;
    buffer.resize(static_cast<std::size_t>(got));
    return buffer;
  }
  void tell(const std::string& message) {
    REQUIRE(::send(theirs.get(), message.data(), message.size(), 0) ==
            static_cast<ssize_t>(message.size()));
    loop.turn();
  }
  void tell_ready(const std::string& ca) {
    Answer answer;
    answer.pem = ca;
    tell(write_answer(answer));
  }
  std::string answer_to(const std::string& message) { return signer::answer_to(*issuer, message); }

  tls::TempDir dir;
  net::Loop loop;
  std::unique_ptr<tls::Issuer> issuer;
  std::string pem;
  std::optional<tls::LeafAssembler> assembler;
  tls::LeafCache cache{100};
  Counts counts;
  base::Fd theirs;
  std::optional<Desk> desk;
};

struct Asked {
  std::optional<LeafResult> result;
  tls::LeafSource::Done done() {
    return [this](LeafResult got) { result = std::move(got); };
  }
};

TEST_CASE("a leaf comes later, once for all who want it, and then at once") {
  Rig rig;
  Asked first;
  Asked second;
  rig.desk->leaf_for(host("a.test"), first.done());
  rig.desk->leaf_for(host("a.test"), second.done());
  const auto asked = rig.take();
  REQUIRE(asked);
  CHECK_FALSE(rig.take());
  CHECK_FALSE(first.result);
  rig.tell(rig.answer_to(*asked));
  REQUIRE(first.result);
  REQUIRE(*first.result);
  REQUIRE(second.result);
  CHECK(**first.result == **second.result);
  Asked third;
  rig.desk->leaf_for(host("a.test"), third.done());
  REQUIRE(third.result);
  CHECK(**third.result == **first.result);
  CHECK_FALSE(rig.take());
  CHECK(rig.counts.minted == 1);
}

TEST_CASE("a leaf for another name than the one asked for is not used") {
  Rig rig;
  Asked one;
  rig.desk->leaf_for(host("a.test"), one.done());
  REQUIRE(rig.take());
  rig.tell(rig.answer_to(write_request({1, host("b.test")})));
  REQUIRE(one.result);
  REQUIRE_FALSE(*one.result);
  CHECK(one.result->error().detail == "the signer signed another leaf");
  CHECK(rig.cache.find(host("a.test")) == nullptr);
}

TEST_CASE("what a dead signer was asked, its successor is asked again") {
  Rig rig;
  Asked one;
  rig.desk->leaf_for(host("a.test"), one.done());
  REQUIRE(rig.take());  // and never answered
  rig.tell_ready(rig.pem);
  const auto again = rig.take();
  REQUIRE(again);
  rig.tell(rig.answer_to(*again));
  REQUIRE(one.result);
  CHECK(*one.result);
  CHECK(rig.counts.restarts == 1);
}

TEST_CASE("a signer that does not answer, or is gone, is a clear error") {
  Rig rig(std::chrono::milliseconds(20));
  Asked late;
  rig.desk->leaf_for(host("a.test"), late.done());
  while (!late.result) rig.loop.turn();
  REQUIRE_FALSE(*late.result);
  CHECK(late.result->error().code == base::Code::kSignerUnavailable);
  CHECK(late.result->error().fault == base::Fault::kProxy);

  Asked cut;
  rig.desk->leaf_for(host("b.test"), cut.done());
  rig.theirs.reset();
  while (!cut.result) rig.loop.turn();
  CHECK_FALSE(*cut.result);
  CHECK(rig.counts.is_gone);
  Asked after;
  rig.desk->leaf_for(host("c.test"), after.done());
  REQUIRE(after.result);
  CHECK(after.result->error().code == base::Code::kSignerUnavailable);
}

TEST_CASE("a successor with another CA is not used") {
  Rig rig;
  Asked one;
  rig.desk->leaf_for(host("a.test"), one.done());
  rig.tell_ready("another");
  REQUIRE(one.result);
  CHECK_FALSE(*one.result);
  CHECK(rig.counts.is_gone);
}

TEST_CASE("a signer holds no more requests than it has room to answer") {
  Rig rig;
  std::vector<Asked> asked(Desk::kMostSent + 10);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    rig.desk->leaf_for(host("h" + std::to_string(i) + ".test"), asked[i].done());
  }
  std::size_t sent = 0;
  std::string last;
  while (auto message = rig.take()) {
    last = *message;
    ++sent;
  }
  CHECK(sent == Desk::kMostSent);
  rig.tell(rig.answer_to(last));
  CHECK(rig.take());
}

TEST_CASE("a flood of names is refused") {
  Rig rig;
  std::vector<Asked> asked(Desk::kMostWaiting + 1);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    rig.desk->leaf_for(host("h" + std::to_string(i) + ".test"), asked[i].done());
  }
  CHECK_FALSE(asked[0].result);
  REQUIRE(asked.back().result);
  CHECK(asked.back().result->error().code == base::Code::kSignerUnavailable);
}

TEST_CASE("the signer refuses what is no request, with its reason") {
  Rig rig;
  const auto read = read_answer(rig.answer_to("M" + std::string(8, '\0') + "nA.TEST"));
  REQUIRE(read);
  CHECK(read->kind == Answer::Kind::kRefused);
  CHECK(read->code == base::Code::kBadHost);
}

TEST_CASE("a burst is signed at once, what goes on at a pace") {
  auto now = Rate::Time{};
  Rate rate(now);
  int burst = 0;
  while (rate.take(now).count() == 0) ++burst;
  CHECK(burst == static_cast<int>(Rate::kBurst));
  now += std::chrono::milliseconds(100);
  int more = 0;
  while (rate.take(now).count() == 0) ++more;
  CHECK(more == 100);
  now += std::chrono::hours(1);
  burst = 0;
  while (rate.take(now).count() == 0) ++burst;
  CHECK(burst == static_cast<int>(Rate::kBurst));
}

}  // namespace
}  // namespace leash::signer
