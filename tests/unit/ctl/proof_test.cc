// checkpoint, verify --witness, prove and verify-proof.
#include <doctest/doctest.h>

#include "audit/checkpoint_key.h"
#include "ctl/progress.h"
#include "unit/audit/signed_log.h"
#include "unit/ctl/desk.h"

namespace leash::ctl {
namespace {

// A desk with a signed log: 20 lines of ten requests, a checkpoint behind each five.
struct SignedDesk : Desk {
  SignedDesk() { write_log(lines("a")); }

  [[nodiscard]] static tls::SigningKey open_key(const std::string& dir) {
    auto key = tls::SigningKey::open(dir);
    REQUIRE(key.has_value());
    return *key;
  }
  [[nodiscard]] std::string key_file() const { return path("ca/leash-audit-key.pub.pem"); }
  // Another `host` makes another log.
  [[nodiscard]] std::vector<std::string> lines(const std::string& host,
                                               const tls::SigningKey& by) const {
    audit::SignedLog log(5, audit::sign_with(by), by.public_key().id());
    for (int i = 0; i < 20; ++i) {
      log.add(R"({"ts": 1767225600.0, "event": "request", "client": null, "host": ")" + host +
              R"(", "port": 443, "id": "r)" + std::to_string(i / 2) + "\"");
    }
    return log.lines();
  }
  [[nodiscard]] std::vector<std::string> lines(const std::string& host) const {
    return lines(host, key);
  }
  void write_log(const std::vector<std::string>& some) const { write(log(), audit::joined(some)); }

  // What `checkpoint` says of the log now, in a file.
  [[nodiscard]] std::string keep_witness() const {
    const Said said = run({"checkpoint"});
    REQUIRE(said.code == 0);
    write(path("witness"), said.out);
    return path("witness");
  }

  tls::SigningKey key = open_key(ca_dir());
};

}  // namespace

TEST_CASE("checkpoint prints the last one in a line that verify takes") {
  const SignedDesk desk;
  const Said said = desk.run({"checkpoint"});
  CHECK(said.code == 0);
  CHECK(said.err.empty());
  CHECK(std::count(said.out.begin(), said.out.end(), '\n') == 1);
  CHECK(has(said.out, "\\\"seq\\\": 24"));
  CHECK(desk.run({"checkpoint", desk.log(), "--key", desk.key_file()}).out == said.out);
  desk.write(desk.path("w"), said.out);
  const Said verified = desk.run({"verify", desk.log(), "--witness", desk.path("w")});
  CHECK(verified.code == 0);
  CHECK(has(verified.out, "as witnessed through seq 24, by 1 witness\n"));
  CHECK(verified.err.empty());
}

TEST_CASE("checkpoint gives none where the log is not whole, not signed, or signed by another") {
  const SignedDesk desk;
  auto lines = desk.lines("a");
  desk.write(desk.log(), audit::joined(lines) + "{\"ts\": 1, \"ev");  // leash is writing
  CHECK(desk.run({"checkpoint"}).code == 0);
  lines[2][20] = 'x';
  desk.write_log(lines);
  const Said broken = desk.run({"checkpoint"});
  CHECK(broken.code == 1);
  CHECK(has(broken.err, desk.log() + ":3: changed"));
  CHECK(broken.out.empty());
  lines = desk.lines("a");
  lines.resize(5);
  desk.write_log(lines);
  CHECK(has(desk.run({"checkpoint"}).err, "no checkpoint in it (yet)"));
  desk.write_log(desk.lines("a", SignedDesk::open_key(desk.path("other"))));
  CHECK(has(desk.run({"checkpoint"}).err, "unknown_key"));
  CHECK(desk.run({"checkpoint", "--key", desk.log()}).code == 2);
  CHECK(desk.run({"checkpoint", desk.path("none")}).code == 1);
}

TEST_CASE("checkpoint takes the last of several files") {
  const SignedDesk desk;
  const auto lines = desk.lines("a");
  desk.write(desk.path("old"), audit::joined({lines.begin(), lines.begin() + 9}));
  desk.write_log({lines.begin() + 9, lines.end()});
  CHECK(has(desk.run({"checkpoint", desk.path("old"), desk.log()}).out, "\\\"seq\\\": 24"));
  CHECK(has(desk.run({"checkpoint", desk.path("old")}).out, "\\\"seq\\\": 6"));
  // The later file alone begins in the middle of what its first checkpoint covers.
  desk.write_log({lines.begin() + 9, lines.begin() + 12});
  CHECK(has(desk.run({"checkpoint"}).out, "\\\"seq\\\": 12"));
}

TEST_CASE("verify says what a log lacks that its witness has seen") {
  const SignedDesk desk;
  const std::string witness = desk.keep_witness();
  const auto verify = [&] {
    return desk.run({"verify", desk.log(), "--key", desk.key_file(), "--witness", witness});
  };
  CHECK(has(verify().out, "as witnessed through seq 24"));

  auto cut = desk.lines("a");
  cut.pop_back();
  desk.write_log(cut);
  Said said = verify();
  CHECK(said.code == 1);
  CHECK(has(said.out, "cut: the log ends with line 23, but line 24 was there"));
  CHECK(has(said.out, "it stood through seq 24 on 1970-01-01T00:00:23Z (" + witness + ":1)\n"));

  desk.write_log(desk.lines("b"));  // written anew by who has the key
  said = verify();
  CHECK(said.code == 1);
  CHECK(has(said.out, "not whole: " + desk.log() + ":24 (seq 24): rewritten: "));

  desk.write_log(desk.lines("a", SignedDesk::open_key(desk.path("other"))));
  CHECK(has(verify().out, "unknown_key"));
  said = desk.run({"verify", desk.log(), "--witness", witness});
  CHECK(said.code == 1);
  CHECK(has(said.out, "it is signed by the key "));
}

TEST_CASE("witnesses may be several, in one file and in more, and bare lines of the log") {
  const SignedDesk desk;
  const auto lines = desk.lines("a");
  desk.write(desk.path("more"), "# copies\n" + lines[5] + "\n" + lines[11] + "\n");
  const std::string witness = desk.keep_witness();
  const std::vector<std::string> words = {"verify",          desk.log(),  "--witness",
                                          desk.path("more"), "--witness", witness};
  Said said = desk.run(words);
  CHECK(said.code == 0);
  CHECK(has(said.out, "as witnessed through seq 24, by 3 witnesses\n"));
  CHECK(has(said.err, "2 witnesses bring no key"));
  // Only what lies behind the last one rests on the chain alone.
  said = desk.run({"verify", desk.log(), "--witness", desk.path("more")});
  CHECK(has(said.err, "only the chain was checked behind seq 12"));
}

TEST_CASE("a witness that its signer did not make is wrong use") {
  const SignedDesk desk;
  const auto lines = desk.lines("a");
  const auto verify = [&](const std::string& text) {
    desk.write(desk.path("bad"), text);
    return desk.run(
        {"verify", desk.log(), "--key", desk.key_file(), "--witness", desk.path("bad")});
  };
  CHECK(verify(lines[5]).code == 0);
  std::string changed = lines[5];
  changed.replace(changed.find("\"last\": 5"), 9, "\"last\": 6");
  CHECK(verify(changed).code == 2);
  changed = lines[5];
  changed.replace(changed.find("\"ts\": 5.0"), 9, "\"ts\": 4.0");
  Said said = verify(changed);
  CHECK(said.code == 2);
  CHECK(has(said.err, "bad:1: the signature of this witness is wrong"));
  said = verify(desk.lines("a", SignedDesk::open_key(desk.path("other")))[5]);
  CHECK(said.code == 2);
  CHECK(has(said.err, "which was not given"));
  CHECK(verify("").code == 2);
  CHECK(verify("no witness\n").code == 2);
  CHECK(desk.run({"verify", desk.log(), "--witness", desk.path("none")}).code == 2);
}

TEST_CASE("prove gives a proof that holds, without the log and without the key") {
  const SignedDesk desk;
  const Said proof = desk.run({"prove", "r2"});
  CHECK(proof.code == 0);
  desk.write(desk.path("proof"), proof.out);
  std::filesystem::remove(desk.log());
  const Said said = desk.run({"verify-proof", desk.path("proof"), "--key", desk.key_file()});
  CHECK(said.code == 0);
  CHECK(has(said.out, "proven: 2 lines of r2, signed by " + desk.key.public_key().id() + "\n"));
  CHECK(has(said.out, "seq 5  2026-01-01T00:00:00.000Z"));
  CHECK(has(said.out, "seq 7  "));
  CHECK(said.err.empty());
  std::filesystem::remove_all(desk.ca_dir());
  const Said alone = desk.run({"verify-proof", desk.path("proof")});
  CHECK(alone.code == 0);
  CHECK(has(alone.err, "the key is the one that the proof itself brings"));
}

TEST_CASE("a proof of other lines, or by another key, does not hold") {
  const SignedDesk desk;
  std::string proof = desk.run({"prove", "r2"}).out;
  desk.write(desk.path("proof"), proof);
  (void)SignedDesk::open_key(desk.path("other"));
  const Said other = desk.run(
      {"verify-proof", desk.path("proof"), "--key", desk.path("other/leash-audit-key.pub.pem")});
  CHECK(other.code == 1);
  CHECK(has(other.out, "not proven: "));
  proof.replace(proof.find("request"), 7, "allowed");
  desk.write(desk.path("proof"), proof);
  CHECK(desk.run({"verify-proof", desk.path("proof")}).code == 1);
  CHECK(desk.run({"verify-proof", desk.path("none")}).code == 1);
  CHECK(desk.run({"verify-proof", desk.path("proof"), "--key", desk.path("none")}).code == 2);
  CHECK(desk.run({"verify-proof"}).code == 2);
}

TEST_CASE("prove says why it cannot") {
  const SignedDesk desk;
  CHECK(has(desk.run({"prove", "r77"}).err, "no line with the id r77"));
  auto lines = desk.lines("a");
  lines.pop_back();
  desk.write_log(lines);
  const Said early = desk.run({"prove", "r9"});
  CHECK(early.code == 1);
  CHECK(early.out.empty());
  CHECK(has(early.err, "2 of 2 lines of r9 have no checkpoint behind them yet"));
  CHECK(desk.run({"prove"}).code == 2);
  std::filesystem::remove_all(desk.ca_dir());
  CHECK(has(desk.run({"prove", "r1"}).err, "--key names the public key"));
}

TEST_CASE("a bar shows each percentage once and leaves nothing behind") {
  std::ostringstream out;
  {
    Progress progress(out, Progress::Shown::kYes, 1000);
    progress.at(500);
    progress.at(501);
    progress.at(5000);
  }
  CHECK(out.str() ==
        "\r[###############...............]  50 % of 1000 B\x1b[K"
        "\r[##############################] 100 % of 1000 B\x1b[K"
        "\r\x1b[K");
  std::ostringstream nothing;
  Progress(nothing, Progress::Shown::kNo, 1000).at(500);
  Progress(nothing, Progress::Shown::kYes, 0).at(500);
  CHECK(nothing.str().empty());
}

}  // namespace leash::ctl
