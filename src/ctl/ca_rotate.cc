#include "ctl/commands.h"
#include "insight/printable.h"
#include "tls/ca_rotation.h"

namespace leash::ctl {
namespace {

// A span counts from now, as that of --expires does.
std::optional<insight::Moment> moment_ahead(const std::string& text, insight::Moment now) {
  if (const auto span = insight::parse_span(text)) return now + *span;
  return insight::parse_moment(text, now);
}

}  // namespace

int run_ca_rotate(const Context& context, const std::string& at) {
  const auto settings = context.settings();
  if (!settings) return context.fail(settings.error());
  std::optional<insight::Moment> due;
  if (!at.empty()) {
    due = moment_ahead(at, context.now());
    if (!due) {
      context.fail("--at takes 14d, 2026-12-31 or 2026-12-31T00:00:00Z, not " + at);
      return kUsage;
    }
    if (*due <= context.now()) {
      context.fail("--at is not ahead: " + at);
      return kUsage;
    }
  }
  const auto next = tls::prepare_next_ca(settings->ca_dir, due);
  if (!next) return context.fail(next.error());
  context.out << "prepared     " << insight::printable(next->certificate.path) << '\n'
              << "fingerprint  " << insight::printable(next->certificate.fingerprint)
              << " (SHA-256)\n"
              << "in force     "
              << (due ? "from " + insight::second_text(*due) + ", where leash-ca.timer runs"
                      : "after 'leashctl ca switch' and a restart of leash")
              << '\n'
              << "Give it to the agents beside the one that they have:\n"
                 "  leashctl ca --print --next > leash-ca-next.pem    (both in one file: leashctl "
                 "ca --bundle)\n"
                 "  sh install-ca.sh --name leash-ca-next leash-ca-next.pem\n";
  return kDone;
}

int run_ca_switch(const Context& context, SwitchWhen when) {
  const auto settings = context.settings();
  if (!settings) return context.fail(settings.error());
  if (when == SwitchWhen::kIfDue) {
    const auto next = tls::read_next_ca(settings->ca_dir);
    if (!next) return context.fail(next.error());
    if (!*next || !(*next)->due || *(*next)->due > context.now()) {
      context.out << "nothing is due\n";
      return kDone;
    }
  }
  const auto now_present = tls::switch_to_next_ca(settings->ca_dir, context.now());
  if (!now_present) return context.fail(now_present.error());
  context.out << "in force     " << insight::printable(now_present->fingerprint)
              << " (SHA-256), once leash has been restarted: systemctl restart leash\n";
  return kDone;
}

int run_ca_cancel(const Context& context) {
  const auto settings = context.settings();
  if (!settings) return context.fail(settings.error());
  const auto dropped = tls::drop_next_ca(settings->ca_dir);
  return dropped ? kDone : context.fail(dropped.error());
}

}  // namespace leash::ctl
