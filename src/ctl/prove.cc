// The subcommands prove and verify-proof: the lines of one request, for somebody without the log.
#include "audit/checkpoint_key.h"
#include "audit/proof.h"
#include "ctl/audit_keys.h"
#include "ctl/commands.h"
#include "insight/log_event.h"
#include "insight/printable.h"
#include "insight/small_file.h"

namespace leash::ctl {

int run_prove(const Context& context, const ProveOptions& options) {
  const auto files = context.logs(options.files);
  if (!files) return context.fail(files.error());
  const auto keys = read_keys_or_own(context, options.keys);
  if (!keys) {
    context.fail(keys.error());
    return options.keys.empty() ? kFailed : kUsage;
  }
  const auto proof = audit::prove(*files, options.id, *keys);
  if (!proof) return context.fail(proof.error());
  context.out << *proof;
  return kDone;
}

int run_verify_proof(const Context& context, const VerifyProofOptions& options) {
  audit::CheckSignature check;
  if (!options.keys.empty()) {
    auto keys = read_keys(options.keys);
    if (!keys) {
      context.fail(keys.error());
      return kUsage;
    }
    check = audit::check_with(std::move(*keys));
  }
  const auto document = insight::read_small_file(options.file, audit::kMaxProofBytes);
  if (!document) return context.fail(document.error());
  const auto proven = audit::check_proof(*document, check);
  if (!proven) {
    context.out << "not proven: " << insight::printable(proven.error().detail) << '\n';
    return kFailed;
  }
  context.out << "proven: " << proven->lines.size() << " lines of "
              << insight::printable(proven->id) << ", signed by";
  for (const std::string& key : proven->keys) context.out << ' ' << insight::printable(key);
  context.out << '\n';
  const insight::Colours colours =
      context.is_coloured ? insight::Colours::kOn : insight::Colours::kOff;
  for (std::size_t i = 0; i < proven->lines.size(); ++i) {
    const auto event = insight::read_event(proven->lines[i]);
    context.out << "seq " << proven->seqs[i] << "  "
                << (event ? insight::event_row(*event, colours) : std::string("no event")) << '\n';
  }
  if (options.keys.empty()) {
    context.warn("the key is the one that the proof itself brings; --key names one that you trust");
  }
  return kDone;
}

}  // namespace leash::ctl
