// The subcommands allow, block and remove: one change of one list.
#include <memory>

#include "config/policy_files.h"
#include "ctl/commands.h"
#include "insight/printable.h"
#include "insight/suffixes.h"

namespace leash::ctl {
namespace {

using config::EntryChange;
using config::PolicyList;

// A span of --expires counts from now; everything else is for the list's own reader to judge.
void resolve_expiry(const Context& context, EntryChange& change) {
  if (const auto span = insight::parse_span(change.expires)) {
    change.expires = insight::second_text(context.now() + *span);
  }
}

void warn_of_shared_name(const Context& context, const std::string& host) {
  std::string_view text = host;
  if (text.starts_with("*.")) text.remove_prefix(2);
  const auto parsed = base::Host::parse_lenient(text);
  if (!parsed) return;
  if (const std::string warning = insight::shared_name_warning(*parsed); !warning.empty()) {
    context.warn(warning);
  }
}

int add(const Context& context, PolicyList list, EntryChange change) {
  resolve_expiry(context, change);
  const auto done = config::add_entry(context.policy_dir(), list, change);
  if (!done) return context.fail(done.error());
  context.out << insight::printable(*done) << '\n';
  warn_of_shared_name(context, change.host);
  return kDone;
}

bool has_host(const std::shared_ptr<const policy::EntryMap>& entries, const base::Host& host) {
  return entries != nullptr && entries->all().contains(host.text());
}

base::Result<PolicyList> list_with(const std::string& dir, const std::string& text) {
  const auto refuse = [](std::string detail) {
    return base::fail(base::Code::kBadConfig, base::Fault::kClient, std::move(detail));
  };
  std::string_view name = text;
  if (name.starts_with("*.")) name.remove_prefix(2);
  const auto host = base::Host::parse_lenient(name);
  if (!host) return tl::unexpected(host.error());
  const config::PolicyReading reading = config::read_policy(dir);
  const bool is_allowed = has_host(reading.enforce, *host);
  const bool is_blocked = has_host(reading.blocklist, *host);
  if (is_allowed && is_blocked) {
    return refuse(text + " is in both lists: say --from enforce or --from blocklist");
  }
  if (!is_allowed && !is_blocked) {
    return refuse(text + " is in neither list");
  }
  return is_allowed ? PolicyList::kEnforce : PolicyList::kBlocklist;
}

}  // namespace

int run_allow(const Context& context, EntryChange change) {
  return add(context, PolicyList::kEnforce, std::move(change));
}

int run_block(const Context& context, EntryChange change) {
  return add(context, PolicyList::kBlocklist, std::move(change));
}

int run_remove(const Context& context, std::optional<PolicyList> from, const EntryChange& change) {
  const std::string dir = context.policy_dir();
  if (!from) {
    const auto list = list_with(dir, change.host);
    if (!list) return context.fail(list.error());
    from = *list;
  }
  const auto done = config::remove_entry(dir, *from, change);
  if (!done) return context.fail(done.error());
  context.out << insight::printable(*done) << '\n';
  return kDone;
}

}  // namespace leash::ctl
