#include "ctl/commands.h"
#include "ctl/printable.h"
#include "tls/authority_store.h"

namespace leash::ctl {

int run_ca(const Context& context, CaOutput output) {
  const auto settings = context.settings();
  if (!settings) return context.fail(settings.error());
  const auto certificate = tls::read_ca_certificate(settings->ca_dir);
  if (!certificate) return context.fail(certificate.error());
  if (output == CaOutput::kPem) {
    context.out << printable(certificate->pem, LineBreaks::kKeep);
    return kDone;
  }
  context.out << "path         " << printable(certificate->path) << '\n'
              << "fingerprint  " << printable(certificate->fingerprint) << " (SHA-256)\n"
              << "subject      " << printable(certificate->subject) << '\n'
              << "not after    " << printable(certificate->not_after) << '\n';
  const auto end = parse_moment(certificate->not_after, context.now());
  if (end && *end <= context.now()) {
    context.warn("the certificate has expired");
  } else if (end && *end - context.now() < std::chrono::days(30)) {
    context.warn("the certificate expires within 30 days");
  }
  return kDone;
}

}  // namespace leash::ctl
