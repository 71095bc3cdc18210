// The subcommand checkpoint: the last signed checkpoint, to be kept elsewhere.
#include "audit/checkpoint_key.h"
#include "audit/verifier.h"
#include "audit/witness.h"
#include "ctl/audit_keys.h"
#include "ctl/commands.h"
#include "insight/printable.h"

namespace leash::ctl {

int run_checkpoint(const Context& context, const CheckpointOptions& options) {
  const auto files = context.logs(options.files);
  if (!files) return context.fail(files.error());
  const auto keys = read_keys_or_own(context, options.keys);
  if (!keys) {
    context.fail(keys.error());
    return options.keys.empty() ? kFailed : kUsage;
  }
  audit::VerifyOptions conditions;
  conditions.check_signature = audit::check_with(*keys);
  conditions.max_unsigned_lines = UINT64_MAX;
  const audit::VerifyReport report = audit::verify_files(*files, std::move(conditions));
  // While leash runs, the last line may be half there; and a log may begin in the middle of what a
  // checkpoint covers. Neither takes anything from the signature.
  const bool is_sound = !report.finding || report.finding->flaw == audit::Flaw::kTornEnd ||
                        report.finding->flaw == audit::Flaw::kUnsigned;
  if (!is_sound) {
    const audit::Finding& finding = *report.finding;
    return context.fail("not whole: " + finding.file + ":" + std::to_string(finding.line) + ": " +
                        std::string(audit::word(finding.flaw)) + ": " + finding.text);
  }
  if (report.last_checkpoint.empty()) {
    return context.fail("there is no checkpoint in it (yet): " + files->back());
  }
  const auto witness = audit::parse_witness(report.last_checkpoint);
  if (!witness) return context.fail(witness.error());
  for (const tls::PublicKey& key : *keys) {
    if (key.id() != witness->checkpoint.key) continue;
    context.out << audit::render_witness(witness->line, key.pem()) << '\n';
    return kDone;
  }
  return context.fail("its key is not at hand");
}

}  // namespace leash::ctl
