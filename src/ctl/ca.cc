#include "ctl/commands.h"
#include "insight/printable.h"
#include "tls/authority_store.h"
#include "tls/ca_rotation.h"

namespace leash::ctl {

namespace {

std::string in_force_text(const std::optional<insight::Moment>& due) {
  return due ? "from " + insight::second_text(*due) : "after 'leashctl ca switch'";
}

}  // namespace

int run_ca(const Context& context, CaOutput output) {
  const auto settings = context.settings();
  if (!settings) return context.fail(settings.error());
  const auto certificate = tls::read_ca_certificate(settings->ca_dir);
  if (!certificate) return context.fail(certificate.error());
  const auto next = tls::read_next_ca(settings->ca_dir);
  if (!next) return context.fail(next.error());
  if (output == CaOutput::kNextPem && !*next) {
    return context.fail("no CA is prepared; 'leashctl ca rotate' makes one");
  }
  if (output == CaOutput::kPem || output == CaOutput::kBundle) {
    context.out << insight::printable(certificate->pem, insight::LineBreaks::kKeep);
  }
  if (output == CaOutput::kNextPem || (output == CaOutput::kBundle && *next)) {
    context.out << insight::printable((*next)->certificate.pem, insight::LineBreaks::kKeep);
  }
  if (output != CaOutput::kSummary) return kDone;
  context.out << "path         " << insight::printable(certificate->path) << '\n'
              << "fingerprint  " << insight::printable(certificate->fingerprint) << " (SHA-256)\n"
              << "subject      " << insight::printable(certificate->subject) << '\n'
              << "not after    " << insight::printable(certificate->not_after) << '\n';
  if (*next) {
    context.out << "next         " << insight::printable((*next)->certificate.fingerprint)
                << " (SHA-256), in force " << in_force_text((*next)->due) << '\n';
  }
  const auto end = insight::parse_moment(certificate->not_after, context.now());
  if (end && *end <= context.now()) {
    context.warn("the certificate has expired");
  } else if (end && *end - context.now() < std::chrono::days(30)) {
    context.warn("the certificate expires within 30 days");
  }
  return kDone;
}

}  // namespace leash::ctl
