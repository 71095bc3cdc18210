#include "audit/proof.h"

#include "audit/checkpoint_key.h"
#include "unit/audit/log_fixture.h"
#include "unit/audit/signed_log.h"

namespace leash::audit {
namespace {

// A log of 20 lines with a checkpoint after each five (lines 6, 12, 18 and 24 in all).
struct Fixture {
  Fixture() {
    auto opened = tls::SigningKey::open(dir.file("keys"));
    REQUIRE(opened);
    key.emplace(*opened);
    SignedLog log(5, sign_with(*key), key->public_key().id());
    log.add_requests(20);
    lines = log.lines();
    path = dir.file("log");
    write(lines);
  }
  void write(const std::vector<std::string>& some) const { write_file(path, joined(some)); }
  [[nodiscard]] base::Result<std::string> prove_it(std::string_view id) const {
    return prove({path}, id, {key->public_key()});
  }
  [[nodiscard]] CheckSignature check() const { return check_with({key->public_key()}); }

  TempDir dir;
  std::string path;
  std::optional<tls::SigningKey> key;
  std::vector<std::string> lines;
};

TEST_CASE("a proof holds for its lines only") {
  const Fixture log;
  const auto proof = log.prove_it("r2");  // lines 5 and 7, under two checkpoints
  REQUIRE(proof);
  const auto proven = check_proof(*proof, log.check());
  REQUIRE(proven);
  CHECK(proven->id == "r2");
  CHECK(proven->seqs == std::vector<std::uint64_t>{5, 7});
  CHECK(proven->lines == std::vector<std::string>{log.lines[4], log.lines[6]});

  // Any changed byte of the document makes it void, unless it is only white space.
  for (std::size_t i = 0; i < proof->size(); ++i) {
    std::string changed = *proof;
    if (changed[i] == ' ' || changed[i] == '\n') continue;
    changed[i] = changed[i] == 'q' ? 'w' : 'q';
    const auto result = check_proof(changed, log.check());
    // "seq" and "chain" of a checkpoint's own line are not part of what is proven, nor are the
    // keys.
    if (result) CHECK(result->lines == proven->lines);
  }
  CHECK_FALSE(check_proof(proof->substr(0, proof->size() - 3), log.check()));
  CHECK_FALSE(check_proof("", log.check()));
  CHECK_FALSE(check_proof("{}", log.check()));
  CHECK_FALSE(log.prove_it("r99"));
  CHECK_FALSE(log.prove_it(""));
  CHECK_FALSE(prove({log.dir.file("none")}, "r1", {log.key->public_key()}));
}

TEST_CASE("a proof has its members once each and no others") {
  const Fixture log;
  std::string proof = *log.prove_it("r2");
  const auto with = [&](const std::string& before, const std::string& more) {
    std::string changed = proof;
    changed.insert(changed.find(before), more);
    return check_proof(changed, log.check());
  };
  CHECK(with("\"id\"", ""));
  CHECK_FALSE(with("\"id\"", "\"x\": 1, "));
  CHECK_FALSE(with("\"id\"", "\"id\": \"r2\", "));
  CHECK_FALSE(with("\"line\"", "\"x\": 1, "));
  CHECK_FALSE(with("\"path\"", "\"path\": [], "));
}

TEST_CASE("lines behind the last checkpoint cannot be proven yet") {
  const Fixture log;
  auto cut = log.lines;
  cut.pop_back();
  log.write(cut);
  for (const char* id : {"r9", "r7"}) {  // both lines, and one of two
    const auto proof = log.prove_it(id);
    REQUIRE_FALSE(proof);
    CHECK(proof.error().detail.find("no checkpoint behind them yet") != std::string::npos);
  }
  CHECK(log.prove_it("r6"));
}

TEST_CASE("lines whose neighbours are missing cannot be proven, and why is said") {
  const Fixture log;
  for (const std::size_t gone : {0U, 5U}) {  // the line before the first; the checkpoint between
    auto cut = log.lines;
    cut.erase(cut.begin() + static_cast<std::ptrdiff_t>(gone));
    log.write(cut);
    const auto proof = log.prove_it(gone == 0 ? "r0" : "r2");
    REQUIRE_FALSE(proof);
    CHECK(proof.error().detail.find("older files") != std::string::npos);
  }
}

TEST_CASE("lines that the next checkpoint passes over cannot be proven, and why is said") {
  // As after a kill, where the log was moved before the next start.
  const TempDir dir;
  const auto key = tls::SigningKey::open(dir.file("keys"));
  REQUIRE(key);
  SignedLog before(100, sign_with(*key), key->public_key().id());
  before.add_requests(4);
  const std::vector<std::string>& lines = before.lines();
  ChainValue chain = split_line(lines[3])->chain;
  std::string line = "{\"ts\": 1.0, \"event\": \"start\"";
  chain = finish_line(line, 0, 5, chain);
  std::string end =
      render_checkpoint(1.0, 5, std::vector{chain}, key->public_key().id(), sign_with(*key));
  finish_line(end, 0, 6, chain);
  write_file(dir.file("log"), joined(lines) + line + end);
  VerifyOptions options;
  options.check_signature = check_with({key->public_key()});
  CHECK(verify_files({dir.file("log")}, options).is_whole());
  const auto proof = prove({dir.file("log")}, "r1", {key->public_key()});
  REQUIRE_FALSE(proof);
  CHECK(proof.error().detail.find("in no checkpoint's tree") != std::string::npos);
}

TEST_CASE("no proof is made of a line that was changed") {
  const Fixture log;
  auto changed = log.lines;
  changed[4].replace(changed[4].find("request"), 7, "allowed");
  log.write(changed);
  CHECK_FALSE(log.prove_it("r2"));
  CHECK(log.prove_it("r1"));
}

}  // namespace
}  // namespace leash::audit
