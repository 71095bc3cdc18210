// Every kind of edit to a signed log is found, and at the line where it is.
#include <cstdlib>
#include <random>

#include "audit/verifier.h"
#include "unit/audit/log_fixture.h"
#include "unit/audit/signed_log.h"

namespace leash::audit {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kIsSlow = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kIsSlow = true;
#else
constexpr bool kIsSlow = false;
#endif
#else
constexpr bool kIsSlow = false;
#endif
constexpr std::size_t kLongLog = kIsSlow ? 4'000 : 100'000;
constexpr std::size_t kEdits = kIsSlow ? 400 : 10'000;

std::string fake_sign(std::string_view bytes) { return tls::hex(tls::sha256("secret", bytes)); }

std::optional<bool> fake_check(std::string_view key, std::string_view bytes,
                               std::string_view signature) {
  if (key != "k1") return std::nullopt;
  return signature == fake_sign(bytes);
}

using Lines = std::vector<std::string>;

std::string body_of(std::size_t i, const char* event = "request") {
  return "{\"ts\": 1.0, \"event\": \"" + std::string(event) +
         "\", \"client\": \"10.0.0.1\", \"host\": \"a.example\", \"port\": 443, \"id\": \"r" +
         std::to_string(i / 2) + "\"";
}

// `requests` lines, a checkpoint behind each `interval` and so at the end.
Lines make_log(std::size_t requests, std::size_t interval) {
  SignedLog log(interval, fake_sign, "k1");
  for (std::size_t i = 0; i < requests; ++i) log.add(body_of(i));
  return log.lines();
}

// What was done, what is left of the log, and where that must be found.
struct Edit {
  std::string what;
  std::string text;
  std::uint64_t line = 0;  // 0: none in particular
  std::vector<Flaw> flaws;
};

std::ptrdiff_t at(std::size_t i) { return static_cast<std::ptrdiff_t>(i); }

Lines with(Lines lines, std::size_t place, const std::string& line) {
  lines.insert(lines.begin() + at(place), line);
  return lines;
}

Edit change_byte(const Lines& log, std::size_t line, std::size_t byte, char c) {
  Lines lines = log;
  lines[line][byte] = c;
  const bool is_last = line + 1 == log.size();
  // What stands behind a line tells what it was; behind the last one nothing does.
  std::vector<Flaw> flaws = {Flaw::kChanged};
  if (is_last) flaws = {Flaw::kChanged, Flaw::kInserted, Flaw::kRemoved, Flaw::kReordered};
  return {"change byte " + std::to_string(byte), joined(lines), line + 1, flaws};
}

Edit split_line_at(const Lines& log, std::size_t line, std::size_t byte) {
  Lines lines = log;
  lines[line][byte] = '\n';
  // An empty first half is an empty line, which is none.
  return {"break the line at " + std::to_string(byte),
          joined(lines),
          line + (byte == 0 ? 2U : 1U),
          {Flaw::kInserted, Flaw::kChanged}};
}

Edit join_with_next(const Lines& log, std::size_t line, char c) {
  Lines lines = log;
  if (line + 1 == log.size()) {
    std::string text = joined(lines);
    text.back() = c;
    return {"no end of the last line", text, line + 1, {Flaw::kTornEnd}};
  }
  lines[line] += c + lines[line + 1];
  lines.erase(lines.begin() + at(line + 1));
  return {"join with the next line", joined(lines), line + 1, {Flaw::kRemoved, Flaw::kChanged}};
}

Edit remove_lines(const Lines& log, std::size_t line, std::size_t count) {
  Lines lines = log;
  const std::size_t end = std::min(line + count, log.size());
  lines.erase(lines.begin() + at(line), lines.begin() + at(end));
  const bool is_tail = end == log.size();
  return {"remove " + std::to_string(end - line),
          joined(lines),
          is_tail ? 0 : line + 1,
          {is_tail ? Flaw::kCut : Flaw::kRemoved}};
}

Edit insert_copy(const Lines& log, std::size_t line, std::size_t from) {
  // A copy before the line itself passes for it.
  const std::size_t found = from == line ? line + 1 : line;
  return {"insert a copy of line " + std::to_string(from + 1),
          joined(with(log, line, log[from])),
          found + 1,
          {Flaw::kInserted, Flaw::kReordered, Flaw::kRestarted}};
}

// A line that is made to follow the one before it, or not even that. In the place of a checkpoint
// that a witness has, the witness tells first.
Edit insert_forged(const Lines& log, std::size_t line, bool follows) {
  std::string forged = "{\"ts\": 1.0, \"event\": \"allowed\"";
  finish_line(forged, 0, line + 1,
              follows ? split_line(log[line - 1])->chain : tls::sha256("anything"));
  forged.pop_back();
  return {follows ? "insert a chained line" : "insert a forged line",
          joined(with(log, line, forged)),
          line + 1,
          {Flaw::kInserted, Flaw::kRewritten}};
}

Edit insert_text(const Lines& log, std::size_t line) {
  return {"insert another's line",
          joined(with(log, line, "{\"ts\": 1.0, \"event\": \"allowed\"}")),
          line + 1,
          {Flaw::kInserted}};
}

Edit move_line(const Lines& log, std::size_t from, std::size_t to) {
  Lines lines = log;
  const std::string line = lines[from];
  lines.erase(lines.begin() + at(from));
  lines.insert(lines.begin() + at(to), line);
  return {"move line " + std::to_string(from + 1) + " to " + std::to_string(to + 1),
          joined(lines),
          std::min(from, to) + 1,
          {Flaw::kReordered}};
}

Edit tear(const Lines& log, std::size_t line, std::size_t bytes) {
  const std::string text = joined({log.begin(), log.begin() + at(line)});
  return {"tear", text + log[line].substr(0, bytes), line + 1, {Flaw::kTornEnd}};
}

// Another content for a line, and everything behind it chained anew; signed anew where there is a
// key.
Edit rewrite(const Lines& log, std::size_t line, std::size_t interval, bool has_key,
             const std::vector<std::size_t>& witnesses) {
  const auto found_by = [&](const auto& is_it) {
    for (std::size_t i = line; i < log.size(); ++i) {
      if (is_it(i)) return i + 1;
    }
    return log.size();
  };
  if (has_key) {
    SignedLog forged(interval, fake_sign, "k1");
    std::size_t i = 0;
    for (std::size_t place = 0; place < log.size(); ++place) {
      if (log[place].find("checkpoint") != std::string::npos) continue;
      forged.add(body_of(i++, place == line ? "allowed" : "request"));
    }
    const std::size_t found = found_by([&](std::size_t i2) {
      return std::find(witnesses.begin(), witnesses.end(), i2) != witnesses.end();
    });
    return {"rewrite and sign", joined(forged.lines()), found, {Flaw::kRewritten}};
  }
  Lines lines = log;
  ChainValue chain = line == 0 ? ChainValue{} : split_line(log[line - 1])->chain;
  for (std::size_t i = line; i < lines.size(); ++i) {
    std::string text(split_line(log[i])->covered);
    text.resize(text.rfind(", \"seq\": "));
    if (i == line) text.replace(text.find("request"), 7, "allowed");
    chain = finish_line(text, 0, i + 1, chain);
    text.pop_back();
    lines[i] = text;
  }
  const std::size_t found =
      found_by([&](std::size_t i) { return log[i].find("checkpoint") != std::string::npos; });
  return {"rewrite", joined(lines), found, {Flaw::kBadCheckpoint}};
}

class Examiner {
 public:
  Examiner(const Lines& log, const std::vector<std::size_t>& witnesses) {
    options_.check_signature = fake_check;
    options_.max_unsigned_lines = UINT64_MAX;
    for (const std::size_t place : witnesses)
      options_.witnesses.push_back(*parse_witness(log[place]));
    REQUIRE(verify_text(joined(log), options_).is_whole());
  }

  // Whether it is found as it should be.
  [[nodiscard]] bool finds(const Edit& edit) const {
    const VerifyReport report = verify_text(edit.text, options_);
    if (!report.finding) return false;
    const auto& flaws = edit.flaws;
    return report.finding->line == edit.line &&
           std::find(flaws.begin(), flaws.end(), report.finding->flaw) != flaws.end();
  }
  [[nodiscard]] std::string said_of(const Edit& edit) const {
    const VerifyReport report = verify_text(edit.text, options_);
    std::string out = edit.what + ", to be found at " + std::to_string(edit.line) + ": ";
    if (!report.finding) return out + "whole";
    return out + std::string(word(report.finding->flaw)) + " at " +
           std::to_string(report.finding->line) + ": " + report.finding->text;
  }

 private:
  VerifyOptions options_;
};

TEST_CASE("each kind of edit to a long log is found at its line") {
  constexpr std::size_t kInterval = 1000;
  const Lines log = make_log(kLongLog, kInterval);
  const std::size_t last = log.size() - 1;
  const Examiner examiner(log, {last});
  const auto expect = [&](const Edit& edit) {
    CHECK_MESSAGE(examiner.finds(edit), examiner.said_of(edit));
  };
  for (const std::size_t line : {log.size() / 2 + 7, last - 3}) {
    expect(change_byte(log, line, 20, 'x'));
    expect(remove_lines(log, line, 1));
    expect(insert_copy(log, line, line - 1));
    expect(insert_forged(log, line, true));
    expect(insert_text(log, line));
    expect(move_line(log, line, line + 1));
    expect(move_line(log, line, line - 1500));
    expect(remove_lines(log, line, log.size()));  // the tail, a checkpoint with it
    expect(tear(log, line, 50));
    expect(rewrite(log, line, kInterval, false, {last}));
    expect(rewrite(log, line, kInterval, true, {last}));
  }
  expect(change_byte(log, 0, 20, 'x'));
}

Edit random_edit(const Lines& log, std::size_t interval, const std::vector<std::size_t>& witnesses,
                 std::mt19937_64& source) {
  const auto below = [&source](std::size_t bound) {
    return static_cast<std::size_t>(source() % bound);
  };
  // What stands before the first line cannot be told from an older file that was not given.
  const std::size_t line = 1 + below(log.size() - 1);
  const auto other_byte = [&](char c) {
    for (;;) {
      const char made = static_cast<char>(below(256));
      if (made != c && made != '\n') return made;
    }
  };
  switch (below(13)) {
    case 0:
    case 1: {
      const std::size_t any = below(log.size());
      const std::size_t byte = below(log[any].size());
      return change_byte(log, any, byte, other_byte(log[any][byte]));
    }
    case 2:
      return split_line_at(log, line, below(log[line].size()));
    case 3:
      return join_with_next(log, line, other_byte('\n'));
    case 4:
      return remove_lines(log, line, 1 + below(5));
    case 5:
      return insert_copy(log, 1 + below(log.size()), below(log.size()));
    case 6:
      return insert_forged(log, line, below(2) == 0);
    case 7:
      return insert_text(log, 1 + below(log.size()));
    case 8: {
      const std::size_t to = 1 + below(log.size() - 1);
      return to == line ? insert_text(log, line) : move_line(log, line, to);
    }
    case 9:
      return tear(log, below(log.size()), 1 + below(log[0].size() / 2));
    case 10:
      return remove_lines(log, line, log.size());
    default: {
      std::size_t any = below(log.size());
      if (log[any].find("checkpoint") != std::string::npos) --any;
      return rewrite(log, any, interval, below(2) == 0, witnesses);
    }
  }
}

TEST_CASE("random edits to a log are found at their lines") {
  constexpr std::size_t kInterval = 7;
  const Lines log = make_log(8 * kInterval, kInterval);
  const std::vector<std::size_t> witnesses = {(kInterval + 1) * 3 - 1, log.size() - 1};
  const Examiner examiner(log, witnesses);
  // LEASH_TEST_SEED makes the edits of an earlier run again.
  const char* given = std::getenv("LEASH_TEST_SEED");  // NOLINT(concurrency-mt-unsafe)
  const std::uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
  MESSAGE("seed " << seed);
  std::mt19937_64 source(seed);
  for (std::size_t i = 0; i < kEdits; ++i) {
    const Edit edit = random_edit(log, kInterval, witnesses, source);
    if (!examiner.finds(edit)) {
      FAIL_CHECK("seed " << seed << ", edit " << i << ": " << examiner.said_of(edit));
    }
  }
}

}  // namespace
}  // namespace leash::audit
