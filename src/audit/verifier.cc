#include "audit/verifier.h"

#include <fmt/format.h>

#include <algorithm>

#include "audit/line_view.h"
#include "audit/log_tail.h"
#include "audit/merkle.h"

namespace leash::audit {
namespace {

// How far to look behind the first wrong line for those that are missing.
constexpr std::size_t kMaxSuspects = 4096;
// A log that is never signed must not fill the memory.
constexpr std::size_t kMaxLeaves = 2 * 1024 * 1024;

}  // namespace

std::string_view word(Flaw flaw) {
  switch (flaw) {
    case Flaw::kChanged:
      return "changed";
    case Flaw::kRemoved:
      return "removed";
    case Flaw::kInserted:
      return "inserted";
    case Flaw::kReordered:
      return "reordered";
    case Flaw::kTornEnd:
      return "torn_end";
    case Flaw::kRestarted:
      return "restarted";
    case Flaw::kCut:
      return "cut";
    case Flaw::kBadCheckpoint:
      return "bad_checkpoint";
    case Flaw::kBadSignature:
      return "bad_signature";
    case Flaw::kUnknownKey:
      return "unknown_key";
    case Flaw::kUnsigned:
      return "unsigned";
    case Flaw::kRewritten:
      return "rewritten";
    case Flaw::kUnwitnessed:
      return "unwitnessed";
    case Flaw::kNotChained:
      return "not_chained";
    case Flaw::kUnreadable:
      return "unreadable";
  }
  return "changed";
}

Verifier::Verifier(VerifyOptions options) : options_(std::move(options)) {
  std::stable_sort(options_.witnesses.begin(), options_.witnesses.end(),
                   [](const Witness& a, const Witness& b) { return a.seq < b.seq; });
}

void Verifier::begin_file(std::string name) { files_.push_back(std::move(name)); }

Verifier::Place Verifier::place_of(const LogLine& line) const {
  return {files_.empty() ? 0 : files_.size() - 1, line.number};
}

void Verifier::report(Flaw flaw, Place place, std::uint64_t seq, std::string text) {
  if (report_.finding) return;
  report_.finding = Finding{flaw, place.file < files_.size() ? files_[place.file] : std::string(),
                            place.line, seq, std::move(text)};
}

bool Verifier::add(const LogLine& line) {
  if (report_.finding) return false;
  if (line.text.empty()) return true;
  const auto chained = line.is_ended ? split_line(line.text) : std::nullopt;
  if (!suspects_.empty()) {
    suspect(line, chained);
    return suspects_.size() < kMaxSuspects;
  }
  ++report_.lines;
  if (!chained) {
    hold_piece(line);
    return !report_.finding;
  }
  const bool is_first = report_.last_seq == 0;
  const bool is_next = is_first
                           ? chained->seq > 1 || next_chain({}, chained->covered) == chained->chain
                           : chained->seq == report_.last_seq + 1 &&
                                 next_chain(report_.last_chain, chained->covered) == chained->chain;
  if (!is_next) {
    suspect(line, chained);
    return true;
  }
  accept(line, *chained);
  return !report_.finding;
}

void Verifier::accept(const LogLine& line, const ChainedLine& chained) {
  if (piece_) {
    if (!explains_piece(line.text)) {
      report(Flaw::kInserted, piece_->place, 0, "a line that leash did not write");
      return;
    }
    ++report_.kept_pieces;
    piece_.reset();
  }
  if (report_.first_seq == 0) {
    if (report_.unchained > 0 && chained.seq > 1) {
      report(Flaw::kChanged, last_unchained_, 0,
             fmt::format("it has no chain value, but line {} follows", chained.seq));
      return;
    }
    report_.first_seq = leaves_first_ = chained.seq;
    first_place_ = place_of(line);
    while (next_witness_ < options_.witnesses.size() &&
           options_.witnesses[next_witness_].seq < chained.seq) {
      ++next_witness_;
      ++report_.witnesses_older;
    }
  }
  before_last_ = report_.last_chain;
  last_place_ = place_of(line);
  report_.last_seq = chained.seq;
  report_.last_chain = chained.chain;
  if (is_checkpoint(line.text)) {
    check_checkpoint(line, chained.seq);
    leaves_.clear();
    leaves_first_ = chained.seq + 1;
  } else {
    if (leaves_.size() == kMaxLeaves) {
      leaves_.clear();
      leaves_first_ = chained.seq;
      has_lost_leaves_ = true;
    }
    leaves_.push_back(chained.chain);
  }
  if (next_witness_ < options_.witnesses.size() && !report_.finding) {
    check_witnesses(line, chained);
  }
}

// A checkpoint's own chain value is not signed, but what is signed fixes the lines before it, and
// they fix that value. So both are compared: the one where the tree could not be looked at, the
// other where somebody has changed the witness.
void Verifier::check_witnesses(const LogLine& line, const ChainedLine& chained) {
  for (; next_witness_ < options_.witnesses.size(); ++next_witness_) {
    const Witness& witness = options_.witnesses[next_witness_];
    if (witness.seq != chained.seq) return;
    const auto checkpoint = parse_checkpoint(line.text);
    const bool is_met = checkpoint && checkpoint->signed_bytes == witness.checkpoint.signed_bytes &&
                        chained.chain == witness.chain;
    if (is_met) {
      ++report_.witnesses_met;
      report_.witnessed_through = chained.seq;
      continue;
    }
    const std::uint64_t from = std::max(report_.witnessed_through + 1, report_.first_seq);
    std::string what = "it is not the checkpoint that the witness has";
    if (!checkpoint) what = "the witness has a checkpoint here";
    if (checkpoint && checkpoint->key != witness.checkpoint.key) {
      what = fmt::format("it is signed by the key {}, that of the witness by {}", checkpoint->key,
                         witness.checkpoint.key);
    }
    report(Flaw::kRewritten, place_of(line), chained.seq,
           fmt::format("{} ({}); the change is in the lines {} to {}", what, witness.source, from,
                       chained.seq));
    return;
  }
}

// A line without a chain: of the original's before the chain begins; behind that, a piece that the
// writer could not cut off, or somebody's work.
void Verifier::hold_piece(const LogLine& line) {
  if (report_.last_seq == 0 && line.is_ended) {
    ++report_.unchained;
    last_unchained_ = place_of(line);
    return;
  }
  if (!line.is_ended) {
    report(Flaw::kTornEnd, place_of(line), 0, "the file ends in the middle of a line");
    return;
  }
  if (piece_) {
    report(Flaw::kInserted, piece_->place, 0, "lines that leash did not write");
    return;
  }
  piece_ = Piece{place_of(line), line.text.size(), std::string(line.text.substr(0, kTornShown))};
}

bool Verifier::explains_piece(std::string_view line) const {
  const auto view = LineView::parse(line);
  if (!view || view->raw("torn_kept") != "true") return false;
  const auto bytes = view->integer("torn_bytes").value_or(0);
  // The piece had an end of line of its own, or got one from the writer.
  return (bytes == piece_->bytes || bytes == piece_->bytes + 1) &&
         view->text("torn") == piece_->start;
}

void Verifier::check_checkpoint(const LogLine& line, std::uint64_t seq) {
  ++report_.checkpoints;
  const Place place = place_of(line);
  const auto checkpoint = parse_checkpoint(line.text);
  if (!checkpoint || checkpoint->last != seq - 1) {
    report(Flaw::kBadCheckpoint, place, seq, "not a checkpoint as leash writes them");
    return;
  }
  if (options_.check_signature) {
    const auto is_right =
        options_.check_signature(checkpoint->key, checkpoint->signed_bytes, checkpoint->signature);
    if (!is_right) {
      report(Flaw::kUnknownKey, place, seq,
             fmt::format("signed by the key {}, which was not given", checkpoint->key));
      return;
    }
    if (!*is_right) {
      report(Flaw::kBadSignature, place, seq, "the signature of this checkpoint is wrong");
      return;
    }
  }
  check_root(*checkpoint, seq, place);
  if (!report_.finding) report_.last_checkpoint = line.text;
}

void Verifier::check_root(const Checkpoint& checkpoint, std::uint64_t seq, Place place) {
  if (checkpoint.first < leaves_first_) {
    // The lines before are in a file that was not given, or too many to be kept in mind.
    if (checkpoint.first < report_.first_seq || has_lost_leaves_) return;
    report(Flaw::kBadCheckpoint, place, seq, "it vouches for lines that have a checkpoint already");
    return;
  }
  const std::span<const ChainValue> leaves(leaves_);
  if (merkle_root(leaves.subspan(checkpoint.first - leaves_first_)) != checkpoint.root) {
    report(Flaw::kBadCheckpoint, place, seq,
           fmt::format("lines {} to {} are not those that were signed", checkpoint.first,
                       checkpoint.last));
    return;
  }
  if (options_.check_signature) report_.signed_through = seq;
}

void Verifier::suspect(const LogLine& line, const std::optional<ChainedLine>& chained) {
  Suspect suspect;
  suspect.place = place_of(line);
  if (chained) {
    suspect.is_chained = true;
    suspect.seq = chained->seq;
    suspect.chain = chained->chain;
    suspect.follows_last = next_chain(report_.last_chain, chained->covered) == chained->chain;
    suspect.is_first = next_chain({}, chained->covered) == chained->chain;
    suspect.replaces_last = chained->seq == report_.last_seq && suspects_.empty() &&
                            next_chain(before_last_, chained->covered) == chained->chain;
    suspect.follows_before = !suspects_.empty() &&
                             next_chain(suspects_.back().chain, chained->covered) == chained->chain;
  }
  suspects_.push_back(suspect);
}

// Says what happened at the first wrong line from the lines behind it.
void Verifier::classify() {
  const Suspect& bad = suspects_.front();
  const std::uint64_t expected = report_.last_seq + 1;
  const Suspect* next = suspects_.size() > 1 ? &suspects_[1] : nullptr;
  const auto is_expected = [&](const Suspect& s) {
    return s.is_chained && s.seq == expected && s.follows_last;
  };
  const auto is_missing = [&](const Suspect& s) {
    return s.is_chained && s.seq >= expected && s.seq < bad.seq;
  };
  if (piece_) {
    const bool is_its_place = bad.seq == expected + 1;
    report(is_its_place ? Flaw::kChanged : Flaw::kInserted, piece_->place, 0,
           is_its_place ? fmt::format("this was line {}", expected)
                        : std::string("a line that leash did not write"));
  } else if (next != nullptr && is_expected(*next) && bad.seq <= expected) {
    report(Flaw::kInserted, bad.place, bad.seq,
           fmt::format("a line stands between the lines {} and {}", expected - 1, expected));
  } else if (bad.replaces_last && next != nullptr && next->follows_before) {
    report(Flaw::kInserted, last_place_, bad.seq,
           fmt::format("two lines are line {}, and the chain goes on from the second", bad.seq));
  } else if (next != nullptr && next->seq == expected + 1 && next->follows_before) {
    report(Flaw::kChanged, bad.place, expected,
           "its bytes are not those that its chain value was made of, and which the next line goes "
           "on from");
  } else if (report_.last_seq == report_.first_seq && report_.first_seq > 1 && bad.follows_last &&
             bad.seq != expected) {
    report(
        Flaw::kChanged, first_place_, report_.first_seq,
        fmt::format("its number is {}, but line {} goes on from it", report_.first_seq, bad.seq));
  } else if (bad.seq == 1 && bad.is_first && expected > 1) {
    report(Flaw::kRestarted, bad.place, bad.seq,
           fmt::format("a new chain begins behind line {}", report_.last_seq));
  } else if (bad.seq > expected) {
    const auto found = std::find_if(suspects_.begin() + 1, suspects_.end(), is_missing);
    if (found != suspects_.end()) {
      report(Flaw::kReordered, bad.place, bad.seq,
             fmt::format("line {} stands before line {}", bad.seq, found->seq));
    } else {
      report(Flaw::kRemoved, bad.place, bad.seq,
             fmt::format("lines {} to {} are missing before it", expected, bad.seq - 1));
    }
  } else if (bad.seq < expected) {
    report(Flaw::kReordered, bad.place, bad.seq,
           fmt::format("line {} stands behind line {}", bad.seq, report_.last_seq));
  } else if (next != nullptr && next->follows_before) {
    report(Flaw::kChanged, bad.place, bad.seq,
           "its chain value is not that of its bytes and of the line before: one of the two was "
           "changed");
  } else {
    report(Flaw::kChanged, bad.place, bad.seq, "its chain value is wrong");
  }
}

void Verifier::fail(const std::string& why) {
  if (!suspects_.empty()) return;
  report(Flaw::kUnreadable, {files_.empty() ? 0 : files_.size() - 1, 0}, 0, why);
}

VerifyReport Verifier::finish() {
  if (!suspects_.empty()) classify();
  const Place end{files_.empty() ? 0 : files_.size() - 1, 0};
  if (piece_) report(Flaw::kInserted, piece_->place, 0, "a line that leash did not write");
  if (next_witness_ < options_.witnesses.size()) {
    const Witness& last = options_.witnesses.back();
    report(Flaw::kCut, end, report_.last_seq,
           fmt::format("the log ends with line {}, but line {} was there ({})", report_.last_seq,
                       last.seq, last.source));
  }
  if (report_.last_seq == 0 && report_.unchained > 0) {
    report(Flaw::kNotChained, end, 0, "none of its lines has a chain value");
  }
  if (!options_.witnesses.empty() && report_.witnesses_met == 0) {
    report(Flaw::kUnwitnessed, end, 0,
           fmt::format("it begins with line {}, but no witness is of a line behind {}",
                       report_.first_seq, options_.witnesses.back().seq));
  }
  if (options_.check_signature && report_.last_seq > 0) {
    if (report_.signed_through == 0) {
      report(Flaw::kUnsigned, end, report_.last_seq, "no checkpoint covers it");
    } else if (report_.last_seq - report_.signed_through > options_.max_unsigned_lines) {
      report(Flaw::kUnsigned, end, report_.last_seq,
             fmt::format("the lines behind {} have no checkpoint", report_.signed_through));
    }
  }
  return report_;
}

VerifyReport verify_files(const std::vector<std::string>& paths, VerifyOptions options,
                          const std::function<void(std::uint64_t bytes)>& on_progress) {
  constexpr std::uint64_t kStep = 8 * 1024 * 1024;  // unpacked bytes between two reports
  Verifier verifier(std::move(options));
  std::uint64_t bytes_before = 0;  // of the files that are done
  bool wants_more = true;
  for (const std::string& path : paths) {
    if (!wants_more) break;
    verifier.begin_file(path);
    auto reader = LogReader::open(path);
    if (!reader) {
      verifier.fail(reader.error().text());
      break;
    }
    std::uint64_t since_report = 0;
    for (;;) {
      auto line = reader->next();
      if (!line) {
        verifier.fail(line.error().text());
        wants_more = false;
        break;
      }
      if (!*line) break;
      wants_more = verifier.add(**line);
      if (!wants_more) break;
      since_report += (*line)->text.size();
      if (since_report >= kStep && on_progress) {
        since_report = 0;
        on_progress(bytes_before + reader->file_bytes());
      }
    }
    bytes_before += reader->file_bytes();
  }
  return verifier.finish();
}

}  // namespace leash::audit
