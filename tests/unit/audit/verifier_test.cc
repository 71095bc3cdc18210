#include "audit/verifier.h"

#include <algorithm>

#include "audit/checkpoint_key.h"
#include "audit/proof.h"
#include "unit/audit/log_fixture.h"

namespace leash::audit {
namespace {

std::string fake_sign(std::string_view bytes) { return tls::hex(tls::sha256("secret", bytes)); }

std::optional<bool> fake_check(std::string_view key, std::string_view bytes,
                               std::string_view signature) {
  if (key != "k1") return std::nullopt;
  return signature == fake_sign(bytes);
}

// A log of 20 lines with a checkpoint after each five (lines 6, 12, 18 and 24 in all).
std::vector<std::string> make_log() {
  std::vector<std::string> out;
  ChainValue chain{};
  std::vector<ChainValue> leaves;
  std::uint64_t seq = 0;
  const auto add = [&](std::string line) {
    chain = finish_line(line, 0, ++seq, chain);
    line.pop_back();
    out.push_back(line);
  };
  for (int i = 0; i < 20; ++i) {
    add("{\"ts\": 1.0, \"event\": \"request\", \"id\": \"r" + std::to_string(i / 2) + "\"");
    leaves.push_back(chain);
    if (leaves.size() == 5) {
      add(render_checkpoint(1.0, seq - 4, leaves, "k1", fake_sign));
      leaves.clear();
    }
  }
  return out;
}

VerifyReport verify(const std::vector<std::string>& lines, VerifyOptions options = {}) {
  Verifier verifier(std::move(options));
  verifier.begin_file("log");
  std::uint64_t number = 0;
  for (const std::string& line : lines) {
    if (!verifier.add({line, ++number, true})) break;
  }
  return verifier.finish();
}

VerifyOptions with_key() {
  VerifyOptions options;
  options.check_signature = fake_check;
  return options;
}

// The flaw, and the line of the file that it names.
void expect(const VerifyReport& report, Flaw flaw, std::uint64_t line) {
  REQUIRE(report.finding);
  CHECK(word(report.finding->flaw) == word(flaw));
  CHECK(report.finding->line == line);
  CHECK(report.finding->file == "log");
  CHECK_FALSE(report.finding->text.empty());
}

TEST_CASE("a whole log is whole") {
  const VerifyReport report = verify(make_log(), with_key());
  CHECK(report.is_whole());
  CHECK(report.lines == 24);
  CHECK(report.first_seq == 1);
  CHECK(report.last_seq == 24);
  CHECK(report.checkpoints == 4);
  CHECK(report.signed_through == 24);
  CHECK(verify({}).is_whole());
}

TEST_CASE("any changed byte of any line is found at that line") {
  const auto log = make_log();
  for (std::size_t line = 0; line < log.size(); ++line) {
    for (std::size_t at = 0; at < log[line].size(); at += 5) {
      auto changed = log;
      char& c = changed[line][at];
      c = c == 'x' ? 'y' : 'x';
      const VerifyReport report = verify(changed);
      REQUIRE(report.finding);
      const bool is_last = line + 1 == log.size();
      const auto flaw = report.finding->flaw;
      const bool is_told = flaw == Flaw::kChanged || (is_last && flaw == Flaw::kInserted);
      CHECK_MESSAGE(is_told, word(flaw), " in line ", line + 1, " at ", at);
      CHECK(report.finding->line == line + 1);
    }
  }
}

TEST_CASE("a removed line is found") {
  const auto log = make_log();
  for (std::size_t line = 0; line + 1 < log.size(); ++line) {
    auto cut = log;
    cut.erase(cut.begin() + static_cast<std::ptrdiff_t>(line));
    if (line == 0) {
      CHECK(verify(cut).first_seq == 2);  // as if it were in an older file
      continue;
    }
    expect(verify(cut), Flaw::kRemoved, line + 1);
  }
}

TEST_CASE("an inserted line is found") {
  const auto log = make_log();
  for (std::size_t at = 1; at < log.size(); ++at) {
    auto more = log;
    const auto place = more.begin() + static_cast<std::ptrdiff_t>(at);
    more.insert(place, log[at - 1]);  // a copy
    expect(verify(more), Flaw::kInserted, at + 1);

    more = log;
    std::string forged = "{\"ts\": 1.0, \"event\": \"request\"";
    finish_line(forged, 0, at + 1, ChainValue{});
    forged.pop_back();
    more.insert(more.begin() + static_cast<std::ptrdiff_t>(at), forged);
    expect(verify(more), Flaw::kInserted, at + 1);

    more = log;
    more.insert(more.begin() + static_cast<std::ptrdiff_t>(at), "{\"ts\": 1.0}");
    expect(verify(more), Flaw::kInserted, at + 1);
  }
}

TEST_CASE("reordered lines are found") {
  const auto log = make_log();
  for (std::size_t at = 1; at + 2 < log.size(); ++at) {
    auto swapped = log;
    std::swap(swapped[at], swapped[at + 1]);
    expect(verify(swapped), Flaw::kReordered, at + 1);
  }
}

TEST_CASE("a log whose chain was made anew fails at its next checkpoint") {
  auto log = make_log();
  ChainValue chain{};
  for (std::size_t i = 0; i < log.size(); ++i) {
    const auto split = split_line(log[i]);
    std::string line(split->covered.substr(0, split->covered.rfind(", \"seq\"")));
    if (i == 7) line.replace(line.find("request"), 7, "allowed");
    chain = finish_line(line, 0, i + 1, chain);
    line.pop_back();
    log[i] = line;
  }
  expect(verify(log), Flaw::kBadCheckpoint, 12);
  // Without checkpoints nothing tells, unless a key is given.
  std::vector<std::string> bare;
  chain = {};
  for (std::uint64_t seq = 1; seq <= 5; ++seq) {
    std::string line = "{\"ts\": 1.0, \"event\": \"request\"";
    chain = finish_line(line, 0, seq, chain);
    line.pop_back();
    bare.push_back(line);
  }
  CHECK(verify(bare).is_whole());
  expect(verify(bare, with_key()), Flaw::kUnsigned, 0);
}

TEST_CASE("wrong signatures and unknown keys are found") {
  auto options = with_key();
  options.check_signature = [](auto...) { return std::optional<bool>(false); };
  expect(verify(make_log(), options), Flaw::kBadSignature, 6);
  options.check_signature = [](auto...) { return std::optional<bool>(); };
  expect(verify(make_log(), options), Flaw::kUnknownKey, 6);
}

TEST_CASE("too many lines behind the last checkpoint are found") {
  auto log = make_log();
  log.pop_back();
  auto options = with_key();
  options.max_unsigned_lines = 5;
  CHECK(verify(log, options).is_whole());
  CHECK(verify(log, options).signed_through == 18);
  options.max_unsigned_lines = 4;
  expect(verify(log, options), Flaw::kUnsigned, 0);
}

TEST_CASE("a log goes on over files, and a later file alone begins where it begins") {
  const auto log = make_log();
  Verifier verifier(with_key());
  for (std::size_t i = 0; i < log.size(); ++i) {
    if (i % 7 == 0) verifier.begin_file("log." + std::to_string(i));
    CHECK(verifier.add({log[i], i % 7 + 1, true}));
  }
  CHECK(verifier.finish().is_whole());

  const std::vector<std::string> later(log.begin() + 3, log.end());
  const VerifyReport report = verify(later, with_key());
  CHECK(report.is_whole());
  CHECK(report.first_seq == 4);
  CHECK(report.signed_through == 24);
}

TEST_CASE("a torn end, a new chain and a log without a chain are found") {
  const auto log = make_log();
  Verifier verifier({});
  verifier.begin_file("log");
  CHECK(verifier.add({log[0], 1, true}));
  CHECK_FALSE(verifier.add({log[1], 2, false}));
  expect(verifier.finish(), Flaw::kTornEnd, 2);

  auto twice = log;
  twice.insert(twice.end(), log.begin(), log.end());
  expect(verify(twice), Flaw::kRestarted, 25);

  expect(verify({"{\"ts\": 1.0}", "{\"ts\": 2.0}"}), Flaw::kNotChained, 0);
  auto after = log;
  after.insert(after.begin(), "{\"ts\": 1.0}");
  CHECK(verify(after).is_whole());
  CHECK(verify(after).unchained == 1);
}

TEST_CASE("a piece that could not be cut off is no flaw where the next line tells of it") {
  const TempDir dir;
  const std::string path = dir.file("log");
  LogWriter::Options options;
  options.path = path;
  CHECK(put(*std::move(*LogWriter::open(options)), "a"));
  write_file(path, read_file(path) + "{\"ts\": 1.0, \"eve");
  options.fs.ftruncate = [](int, off_t) {
    errno = EPERM;
    return -1;
  };
  CHECK(put(*std::move(*LogWriter::open(options)), "b"));
  VerifyReport report = verify_files({path}, {});
  CHECK(report.is_whole());
  CHECK(report.kept_pieces == 1);
  std::string text = read_file(path);
  text.replace(text.find("\"eve", text.find('\n')), 4, "\"EVE");
  write_file(path, text);
  report = verify_files({path}, {});
  REQUIRE(report.finding);
  CHECK(report.finding->flaw == Flaw::kInserted);
  CHECK(report.finding->line == 2);
}

TEST_CASE("what the writer writes with a real key verifies, and what it signs can be proven") {
  const TempDir dir;
  const std::string path = dir.file("log");
  const auto key = tls::SigningKey::open(dir.file("keys"));
  REQUIRE(key);
  LogWriter::Options options;
  options.path = path;
  options.sign = sign_with(*key);
  options.key_id = key->public_key().id();
  options.checkpoint_lines = 7;
  for (int run = 0; run < 2; ++run) {
    auto writer = LogWriter::open(options);
    REQUIRE(writer);
    for (int i = 0; i < 50; ++i) CHECK(put(**writer, "r" + std::to_string(i)));
    if (run == 0) std::filesystem::rename(path, path + ".1");
    CHECK(put(**writer, "last"));
  }
  VerifyOptions check;
  check.check_signature = check_with({key->public_key()});
  const VerifyReport report = verify_files({path + ".1", path}, check);
  CHECK_MESSAGE(report.is_whole(), (report.finding ? report.finding->text : ""));
  CHECK(report.signed_through == report.last_seq);

  const auto proof = prove({path + ".1", path}, "r13", {key->public_key()});
  REQUIRE(proof);
  // With the key that is given, and with the one that the document brings.
  for (const CheckSignature& keys : {check.check_signature, CheckSignature()}) {
    const auto proven = check_proof(*proof, keys);
    REQUIRE(proven);
    CHECK(proven->lines.size() == 2);
    CHECK(proven->keys == std::vector<std::string>{key->public_key().id()});
  }

  const auto other = tls::SigningKey::open(dir.file("other"));
  REQUIRE(other);
  CHECK_FALSE(check_proof(*proof, check_with({other->public_key()})));
  CHECK_FALSE(prove({path + ".1", path}, "r13", {other->public_key()}));
  check.check_signature = check_with({other->public_key()});
  CHECK(verify_files({path + ".1", path}, check).finding->flaw == Flaw::kUnknownKey);
}

}  // namespace
}  // namespace leash::audit
