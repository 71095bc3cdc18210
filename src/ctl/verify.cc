#include <vector>

#include "audit/checkpoint_key.h"
#include "audit/verifier.h"
#include "ctl/commands.h"
#include "ctl/printable.h"
#include "ctl/small_file.h"
#include "tls/signing_key.h"

namespace leash::ctl {
namespace {

constexpr std::size_t kMaxKeyBytes = 64 * 1024;

base::Result<tls::PublicKey> read_key(const std::string& path) {
  const auto pem = read_small_file(path, kMaxKeyBytes);
  if (!pem) return tl::unexpected(pem.error());
  auto key = tls::PublicKey::parse(*pem);
  if (!key) {
    return base::fail(key.error().code, key.error().fault, path + ": " + key.error().text());
  }
  return key;
}

void print_finding(const Context& context, const audit::Finding& finding) {
  context.out << "not whole: " << printable(finding.file);
  if (finding.line > 0) context.out << ':' << finding.line;
  if (finding.seq > 0) context.out << " (seq " << finding.seq << ')';
  context.out << ": " << audit::word(finding.flaw);
  if (!finding.text.empty()) context.out << ": " << printable(finding.text);
  context.out << '\n';
}

}  // namespace

int run_verify(const Context& context, const VerifyOptions& options) {
  audit::VerifyOptions conditions;
  std::vector<tls::PublicKey> keys;
  for (const std::string& path : options.keys) {
    auto key = read_key(path);
    if (!key) {
      context.fail(key.error());
      return kUsage;
    }
    keys.push_back(std::move(*key));
  }
  if (!keys.empty()) conditions.check_signature = audit::check_with(std::move(keys));
  const audit::VerifyReport report = audit::verify_files(options.files, std::move(conditions));
  if (report.finding) {
    print_finding(context, *report.finding);
    if (report.last_seq > 0) {
      context.out << "as written from seq " << report.first_seq << " to " << report.last_seq
                  << '\n';
    }
    return kFailed;
  }
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
  if (options.keys.empty()) {
    context.warn(
        "without --key only the chain was checked: who can write the log can make a chain");
  } else {
    context.out << "signed through seq " << report.signed_through << '\n';
  }
  return kDone;
}

}  // namespace leash::ctl
