// Proves an audit log whole, or names its first line that is not as it was written.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "audit/chain.h"
#include "audit/checkpoint.h"
#include "audit/log_reader.h"
#include "audit/witness.h"

namespace leash::audit {

enum class Flaw {
  kChanged,
  kRemoved,
  kInserted,
  kReordered,
  kTornEnd,        // the log ends in the middle of a line
  kRestarted,      // a new chain begins: what was before it cannot be told
  kCut,            // the log ends before the line that it must reach
  kBadCheckpoint,  // its root is not that of the lines
  kBadSignature,
  kUnknownKey,
  kUnsigned,     // a key is given, but no checkpoint, or too many lines behind the last one
  kRewritten,    // a witness has seen another checkpoint here
  kUnwitnessed,  // every witness is older than the first line
  kNotChained,   // there is no chain in it at all
  kUnreadable,
};
[[nodiscard]] std::string_view word(Flaw flaw);  // "changed", ...

struct Finding {
  Flaw flaw = Flaw::kChanged;
  std::string file;
  std::uint64_t line = 0;  // in the file, from 1; 0: none in particular
  std::uint64_t seq = 0;   // of that line; 0: it has none
  std::string text;        // for people
};

struct VerifyOptions {
  // Empty: signatures are not checked, and a log without any is whole.
  CheckSignature check_signature;
  // How many lines may stand behind the last checkpoint; counts with check_signature only.
  std::uint64_t max_unsigned_lines = 10'000;
  // Checkpoints known from elsewhere, in any order: the log must have each that is not older than
  // its first line. Their own signatures are for the caller to check.
  std::vector<Witness> witnesses;
};

struct VerifyReport {
  std::uint64_t lines = 0;      // up to the finding
  std::uint64_t unchained = 0;  // of the original, before the chain begins
  std::uint64_t kept_pieces =
      0;  // torn lines that could not be cut off and that the next line tells of
  std::uint64_t checkpoints = 0;
  std::uint64_t first_seq = 0;  // above 1: what was before is in other files
  std::uint64_t last_seq = 0;
  ChainValue last_chain{};
  std::uint64_t signed_through = 0;  // the last line that a good signature covers
  // The last checkpoint of which nothing is wrong; its lines may be in files that were not given.
  std::string last_checkpoint;
  std::uint64_t witnesses_met = 0;      // the log is as they have seen it
  std::uint64_t witnesses_older = 0;    // than the first line
  std::uint64_t witnessed_through = 0;  // the line of the last of those met
  std::optional<Finding> finding;       // the first thing wrong

  [[nodiscard]] bool is_whole() const { return !finding.has_value(); }
};

// Takes lines in the order of the log. An ordinary line costs a search for its end and one hash.
class Verifier {
 public:
  explicit Verifier(VerifyOptions options);

  void begin_file(std::string name);
  // False once enough is known: there is something wrong, and what it is is clear.
  bool add(const LogLine& line);
  // The file cannot be read on.
  void fail(const std::string& why);
  [[nodiscard]] VerifyReport finish();

 private:
  struct Place {
    std::size_t file = 0;  // in files_
    std::uint64_t line = 0;
  };
  // A line from the first wrong one on, as far as it matters for telling what happened.
  struct Suspect {
    Place place;
    bool is_chained = false;
    std::uint64_t seq = 0;
    bool follows_last = false;    // its hash goes on from the last good line
    bool follows_before = false;  // or from the line before it in the file
    bool is_first = false;        // or from nothing, as the first line of a chain does
    bool replaces_last = false;   // it has the place of the last good line
    ChainValue chain{};
  };
  struct Piece {
    Place place;
    std::uint64_t bytes = 0;
    std::string start;
  };

  void accept(const LogLine& line, const ChainedLine& chained);
  void suspect(const LogLine& line, const std::optional<ChainedLine>& chained);
  void hold_piece(const LogLine& line);
  bool explains_piece(std::string_view line) const;
  void check_checkpoint(const LogLine& line, std::uint64_t seq);
  void check_root(const Checkpoint& checkpoint, std::uint64_t seq, Place place);
  void check_witnesses(const LogLine& line, const ChainedLine& chained);
  void classify();
  void report(Flaw flaw, Place place, std::uint64_t seq, std::string text);
  [[nodiscard]] Place place_of(const LogLine& line) const;

  VerifyOptions options_;
  VerifyReport report_;
  std::vector<std::string> files_;
  Place last_unchained_;
  Place first_place_;  // of the first and the last good line
  Place last_place_;
  ChainValue before_last_{};        // the chain value that the last good line went on from
  std::vector<ChainValue> leaves_;  // since the last checkpoint
  std::uint64_t leaves_first_ = 0;
  bool has_lost_leaves_ = false;
  std::size_t next_witness_ = 0;  // of options_.witnesses, which are in the order of their lines
  std::optional<Piece> piece_;    // a line without a chain that the next one may explain
  std::deque<Suspect> suspects_;
};

// Reads `paths` as one log, the oldest first. What cannot be read is a finding.
// `on_progress` is told now and then how many bytes of the files (packed, where they are) have been
// read.
[[nodiscard]] VerifyReport verify_files(
    const std::vector<std::string>& paths, VerifyOptions options,
    const std::function<void(std::uint64_t bytes)>& on_progress = {});

}  // namespace leash::audit
