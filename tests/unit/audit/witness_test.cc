#include "audit/witness.h"

#include "audit/checkpoint_key.h"
#include "audit/verifier.h"
#include "unit/audit/log_fixture.h"
#include "unit/audit/signed_log.h"

namespace leash::audit {
namespace {

std::string sign_as(std::string_view key, std::string_view bytes) {
  return tls::hex(tls::sha256(key, bytes));
}

// 20 lines, checkpoints at 6, 12, 18 and 24.
std::vector<std::string> make_log(const std::string& key = "k1", std::size_t changed = 1000) {
  SignedLog log(
      5, [key](std::string_view bytes) { return sign_as(key, bytes); }, key);
  for (std::size_t i = 0; i < 20; ++i) {
    log.add("{\"ts\": 1.0, \"event\": \"" + std::string(i == changed ? "allowed" : "request") +
            "\", \"id\": \"r" + std::to_string(i) + "\"");
  }
  return log.lines();
}

Witness witness_of(const std::string& line, const std::string& source = "w:1") {
  auto witness = parse_witness(line);
  REQUIRE(witness);
  witness->source = source;
  return *witness;
}

VerifyReport verify(const std::vector<std::string>& lines, std::vector<Witness> witnesses) {
  VerifyOptions options;
  options.witnesses = std::move(witnesses);
  return verify_text(joined(lines), std::move(options));
}

bool says(const VerifyReport& report, Flaw flaw, std::uint64_t line, std::string_view text) {
  REQUIRE(report.finding);
  CHECK(word(report.finding->flaw) == word(flaw));
  CHECK(report.finding->line == line);
  CHECK_MESSAGE(report.finding->text.find(text) != std::string::npos, report.finding->text);
  return report.finding->flaw == flaw && report.finding->line == line;
}

TEST_CASE("a log that is as its witnesses have seen it is whole") {
  const auto log = make_log();
  const VerifyReport report =
      verify(log, {witness_of(log[23]), witness_of(log[5]), witness_of(log[5])});
  CHECK(report.is_whole());
  CHECK(report.witnesses_met == 3);
  CHECK(report.witnessed_through == 24);
  // With more lines behind them too.
  CHECK(verify(log, {witness_of(log[11])}).witnessed_through == 12);
}

TEST_CASE("a log that was written anew and signed anew is not as its witness has seen it") {
  const auto log = make_log();
  const auto forged = make_log("k1", 8);  // line 10, between the checkpoints 6 and 12
  CHECK(verify(forged, {}).is_whole());
  const std::vector<Witness> witnesses = {witness_of(log[5]), witness_of(log[11], "w:2"),
                                          witness_of(log[23])};
  CHECK(says(verify(forged, witnesses), Flaw::kRewritten, 12, "w:2"));
  CHECK(says(verify(forged, witnesses), Flaw::kRewritten, 12, "in the lines 7 to 12"));
  CHECK(verify(forged, {witness_of(log[5])}).is_whole());
}

TEST_CASE("a log that was signed anew with another key names both keys") {
  const auto log = make_log();
  CHECK(says(verify(make_log("k2"), {witness_of(log[5])}), Flaw::kRewritten, 6,
             "signed by the key k2, that of the witness by k1"));
}

TEST_CASE("another line where the witness has a checkpoint is found") {
  const auto log = make_log();
  SignedLog other(
      7, [](std::string_view bytes) { return sign_as("k1", bytes); }, "k1");
  other.add_requests(20);
  CHECK(says(verify(other.lines(), {witness_of(log[5])}), Flaw::kRewritten, 6,
             "the witness has a checkpoint here"));
}

TEST_CASE("a log that ends before its witness was cut") {
  auto log = make_log();
  const Witness last = witness_of(log[23]);
  log.pop_back();
  CHECK(says(verify(log, {last}), Flaw::kCut, 0, "ends with line 23, but line 24 was there"));
  CHECK(says(verify({}, {last}), Flaw::kCut, 0, "ends with line 0"));
  log.resize(12);
  CHECK(says(verify(log, {last, witness_of(make_log()[5])}), Flaw::kCut, 0, "line 24 was there"));
}

TEST_CASE("a witness older than the files counts for nothing, and alone it is no proof") {
  const auto log = make_log();
  const std::vector<std::string> later(log.begin() + 8, log.end());
  const VerifyReport report = verify(later, {witness_of(log[5]), witness_of(log[17])});
  CHECK(report.is_whole());
  CHECK(report.witnesses_older == 1);
  CHECK(report.witnesses_met == 1);
  CHECK(says(verify(later, {witness_of(log[5])}), Flaw::kUnwitnessed, 0, "begins with line 9"));
}

TEST_CASE("two witnesses that have seen different logs cannot both be right") {
  const auto log = make_log();
  const auto fork = make_log("k1", 2);
  CHECK(says(verify(log, {witness_of(log[5]), witness_of(fork[5], "w:9")}), Flaw::kRewritten, 6,
             "w:9"));
}

TEST_CASE("a witness whose own chain value was changed does not pass for a log") {
  const auto log = make_log();
  std::string line = log[5];
  line[line.size() - 5] = line[line.size() - 5] == '0' ? '1' : '0';
  CHECK_FALSE(verify(log, {witness_of(line)}).is_whole());
}

TEST_CASE("a witness is read back, alone and among others") {
  const auto log = make_log();
  const std::string pem = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
  const std::string text = render_witness(log[5], pem);
  CHECK(text.find('\n') == std::string::npos);
  const auto witness = parse_witness(text);
  REQUIRE(witness);
  CHECK(witness->line == log[5]);
  CHECK(witness->public_key == pem);
  CHECK(witness->seq == 6);
  CHECK(witness->checkpoint.last == 5);
  CHECK(witness->ts == 5.0);

  const auto several = parse_witnesses("# kept\n\n" + text + "\r\n" + log[11], "w");
  REQUIRE(several);
  REQUIRE(several->size() == 2);
  CHECK((*several)[0].source == "w:3");
  CHECK((*several)[1].source == "w:4");
  CHECK((*several)[1].public_key.empty());
}

TEST_CASE("what is no witness is refused with its place") {
  const auto log = make_log();
  for (const std::string& text :
       {std::string(), std::string("{}"), std::string("x"), log[0], log[5].substr(1),
        std::string("{\"format\": \"leash audit witness v2\"}"),
        std::string("{\"format\": \"leash audit witness v1\", \"public_key\": \"\"}"),
        "{\"format\": \"leash audit witness v1\", \"checkpoint\": " + log[5] +
            ", \"public_key\": \"\"}"}) {
    CHECK_FALSE_MESSAGE(parse_witness(text), text);
  }
  const auto bad = parse_witnesses(log[5] + "\n" + log[6] + "\n", "w.json");
  REQUIRE_FALSE(bad);
  CHECK(bad.error().detail.starts_with("w.json:2: "));
  CHECK_FALSE(parse_witnesses("", "w"));
  CHECK_FALSE(parse_witnesses("# nothing\n", "w"));
}

}  // namespace
}  // namespace leash::audit
