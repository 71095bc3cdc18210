#include <sys/stat.h>

#include <algorithm>

#include "audit/checkpoint_key.h"
#include "audit/verifier.h"
#include "audit/witness.h"
#include "ctl/audit_keys.h"
#include "ctl/commands.h"
#include "ctl/progress.h"
#include "insight/moment.h"
#include "insight/printable.h"
#include "insight/small_file.h"

namespace leash::ctl {
namespace {

constexpr std::size_t kMaxWitnessBytes = 64 * 1024 * 1024;

void print_finding(const Context& context, const audit::Finding& finding) {
  context.out << "not whole: " << insight::printable(finding.file);
  if (finding.line > 0) context.out << ':' << finding.line;
  if (finding.seq > 0) context.out << " (seq " << finding.seq << ')';
  context.out << ": " << audit::word(finding.flaw);
  if (!finding.text.empty()) context.out << ": " << insight::printable(finding.text);
  context.out << '\n';
}

tl::unexpected<base::Error> bad_witness(const audit::Witness& witness, const std::string& why) {
  return base::fail(base::Code::kBadEncoding, base::Fault::kProxy, witness.source + ": " + why);
}

// Whether a witness is what its signer made of it; the key is one of `keys` or the one that it
// brings. False: no key is at hand, and none was asked for.
base::Result<bool> check_witness(const audit::Witness& witness, std::vector<tls::PublicKey> keys) {
  const bool has_own_keys = !keys.empty();
  if (!witness.public_key.empty()) {
    auto brought = tls::PublicKey::parse(witness.public_key);
    if (!brought) return bad_witness(witness, "its key cannot be read");
    keys.push_back(std::move(*brought));
  }
  const audit::Checkpoint& checkpoint = witness.checkpoint;
  const auto is_right = audit::check_with(std::move(keys))(checkpoint.key, checkpoint.signed_bytes,
                                                           checkpoint.signature);
  if (!is_right && !has_own_keys && witness.public_key.empty()) return false;
  if (!is_right) {
    return bad_witness(witness, "signed by the key " + checkpoint.key + ", which was not given");
  }
  if (!*is_right) return bad_witness(witness, "the signature of this witness is wrong");
  return true;
}

base::Result<std::vector<audit::Witness>> read_witnesses(const Context& context,
                                                         const std::vector<std::string>& paths,
                                                         const std::vector<tls::PublicKey>& keys) {
  std::vector<audit::Witness> out;
  std::size_t unchecked = 0;
  for (const std::string& path : paths) {
    const auto text = insight::read_small_file(path, kMaxWitnessBytes);
    if (!text) return tl::unexpected(text.error());
    auto witnesses = audit::parse_witnesses(*text, path);
    if (!witnesses) return tl::unexpected(witnesses.error());
    for (audit::Witness& witness : *witnesses) {
      const auto is_checked = check_witness(witness, keys);
      if (!is_checked) return tl::unexpected(is_checked.error());
      if (!*is_checked) ++unchecked;
      out.push_back(std::move(witness));
    }
  }
  if (unchecked > 0) {
    context.warn(std::to_string(unchecked) +
                 " witnesses bring no key: without --key their signatures were not checked");
  }
  return out;
}

std::uint64_t total_size(const std::vector<std::string>& paths) {
  std::uint64_t total = 0;
  for (const std::string& path : paths) {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0) total += static_cast<std::uint64_t>(status.st_size);
  }
  return total;
}

// How far the witnesses have seen the log as it is, and the last one of all.
void print_witnessed(const Context& context, const audit::VerifyReport& report,
                     const std::vector<audit::Witness>& witnesses) {
  if (report.witnesses_met > 0) {
    context.out << "as witnessed through seq " << report.witnessed_through << ", by "
                << report.witnesses_met
                << (report.witnesses_met == 1 ? " witness\n" : " witnesses\n");
  }
  if (!report.finding || witnesses.empty()) return;
  const auto last = std::max_element(witnesses.begin(), witnesses.end(),
                                     [](const auto& a, const auto& b) { return a.seq < b.seq; });
  if (report.last_seq >= last->seq && report.finding->flaw != audit::Flaw::kRewritten) return;
  context.out << "it stood through seq " << last->seq << " on "
              << insight::second_text(insight::moment_of(last->ts)) << " ("
              << insight::printable(last->source) << ")\n";
}

void print_whole(const Context& context, const audit::VerifyReport& report, bool has_keys) {
  context.out << "whole: " << report.lines << " lines, seq " << report.first_seq << " to "
              << report.last_seq << ", " << report.checkpoints << " checkpoints\n";
  if (report.first_seq > 1) {
    context.warn("the lines before seq " + std::to_string(report.first_seq) +
                 " are in files that were not named");
  }
  if (report.unchained > 0) {
    context.warn(std::to_string(report.unchained) +
                 " lines stand before the chain; nothing proves them");
  }
  if (report.kept_pieces > 0) {
    context.warn(std::to_string(report.kept_pieces) + " torn lines, each told of by the next line");
  }
  if (report.witnesses_older > 0) {
    context.warn(std::to_string(report.witnesses_older) +
                 " witnesses are older than the first line and were not used");
  }
  if (has_keys) {
    context.out << "signed through seq " << report.signed_through << '\n';
  } else if (report.witnesses_met == 0) {
    context.warn(
        "without --key only the chain was checked: who can write the log can make a chain");
  } else if (report.witnessed_through < report.last_seq) {
    context.warn("without --key only the chain was checked behind seq " +
                 std::to_string(report.witnessed_through));
  }
}

}  // namespace

int run_verify(const Context& context, const VerifyOptions& options) {
  const auto keys = read_keys(options.keys);
  if (!keys) {
    context.fail(keys.error());
    return kUsage;
  }
  const auto witnesses = read_witnesses(context, options.witnesses, *keys);
  if (!witnesses) {
    context.fail(witnesses.error());
    return kUsage;
  }
  audit::VerifyOptions conditions;
  if (!keys->empty()) conditions.check_signature = audit::check_with(*keys);
  conditions.witnesses = *witnesses;
  audit::VerifyReport report;
  {
    Progress progress(context.err,
                      context.shows_progress ? Progress::Shown::kYes : Progress::Shown::kNo,
                      total_size(options.files));
    report = audit::verify_files(options.files, std::move(conditions),
                                 [&progress](std::uint64_t bytes) { progress.at(bytes); });
  }
  if (!report.finding) {
    print_whole(context, report, !keys->empty());
    print_witnessed(context, report, *witnesses);
    return kDone;
  }
  print_finding(context, *report.finding);
  if (report.last_seq > 0) {
    context.out << "as written from seq " << report.first_seq << " to " << report.last_seq << '\n';
  }
  print_witnessed(context, report, *witnesses);
  return kFailed;
}

}  // namespace leash::ctl
