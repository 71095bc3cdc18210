#include <algorithm>
#include <memory>

#include "base/message_text.h"
#include "config/policy_edit.h"
#include "config/policy_reader.h"
#include "ctl/commands.h"
#include "ctl/event_query.h"
#include "insight/learner.h"
#include "insight/printable.h"
#include "insight/unified_diff.h"

namespace leash::ctl {
namespace {

using config::PolicyList;

constexpr std::size_t kMostLeftOutLines = 50;

std::string seen_text(const insight::Proposal& proposal) {
  std::string text = base::counted(proposal.requests, "request") + " to " +
                     base::counted(proposal.places, "place");
  if (proposal.first <= proposal.last) {
    text +=
        ", " + insight::second_text(proposal.first) + " to " + insight::second_text(proposal.last);
  }
  return text;
}

base::Result<std::shared_ptr<const policy::EntryMap>> entries_of(std::string_view text) {
  auto entries = std::make_shared<policy::EntryMap>();
  const auto read = config::read_policy_text(
      text, PolicyList::kEnforce, [&](policy::Entry&& entry) { entries->add(std::move(entry)); });
  if (read.is_broken) {
    const config::Finding& first = read.findings.front();
    return base::fail(
        base::Code::kBadPolicy, base::Fault::kProxy,
        first.file + ":" + std::to_string(first.line) + ": " + first.text + " (or use --print)");
  }
  return std::shared_ptr<const policy::EntryMap>(std::move(entries));
}

base::Result<std::string> whole_policy(const insight::Proposal& proposal) {
  std::string head = "# What a run used, by leashctl learn: " + seen_text(proposal) +
                     ".\n# Read each entry before it counts: what an agent did is not yet what it "
                     "may do.\n";
  for (const std::string& line : proposal.left_out) head += "# Left out: " + line + "\n";
  if (proposal.entries.empty()) return head + "allow: []\n";
  return config::text_with_entries(PolicyList::kEnforce, head, proposal.entries);
}

// The lines are escaped already.
void tell_left_out(const Context& context, const insight::Proposal& proposal) {
  const std::size_t shown = std::min(proposal.left_out.size(), kMostLeftOutLines);
  for (std::size_t i = 0; i < shown; ++i) {
    context.err << "leashctl: left out: " << proposal.left_out[i] << '\n';
  }
  if (shown < proposal.left_out.size()) {
    context.err << "leashctl: left out: " << proposal.left_out.size() - shown
                << " more (--print names them all)\n";
  }
}

}  // namespace

int run_learn(const Context& context, const LearnOptions& options) {
  const auto query = EventQuery::parse(options.filter, context.now());
  if (!query) {
    context.fail(query.error());
    return kUsage;
  }
  const std::string dir = context.policy_dir();
  std::string today;
  std::shared_ptr<const policy::EntryMap> entries;
  if (options.output != LearnOutput::kWhole) {
    auto text = config::policy_text(dir, PolicyList::kEnforce);
    if (!text) return context.fail(text.error());
    today = std::move(*text);
    auto read = entries_of(today);
    if (!read) return context.fail(read.error());
    entries = std::move(*read);
  }

  insight::Learner learner(entries, context.now());
  const int code =
      for_each_event(context, options.logs, *query,
                     [&](const insight::LogEvent& event, std::string_view) { learner.add(event); });
  // A proposal from half the evidence would look whole.
  if (code != kDone) return code;
  const insight::Proposal proposal = learner.propose(options.min_requests);
  if (options.output == LearnOutput::kWhole) {
    const auto text = whole_policy(proposal);
    if (!text) return context.fail(text.error());
    context.out << *text;
    return kDone;
  }

  tell_left_out(context, proposal);
  const auto after = config::text_with_entries(PolicyList::kEnforce, today, proposal.entries);
  if (!after) return context.fail(after.error());
  const std::string path = dir + "/enforce.yaml";
  const std::string entries_text = std::to_string(proposal.entries.size()) +
                                   (proposal.entries.size() == 1 ? " entry" : " entries");
  const std::string seen = " (" + seen_text(proposal) + "; " +
                           std::to_string(proposal.places_allowed) + " allowed already)\n";
  if (proposal.entries.empty()) {
    context.err << "leashctl: nothing to add to enforce.yaml" << seen;
    return kDone;
  }
  if (options.output == LearnOutput::kApply) {
    const auto done = config::add_entries(dir, PolicyList::kEnforce, today, proposal.entries);
    if (!done) return context.fail(done.error());
    context.out << "enforce.yaml: " << entries_text << " added" << seen;
    return kDone;
  }
  const std::string shown_path = insight::printable(path);
  context.out << insight::unified_diff(today, *after, today.empty() ? "/dev/null" : shown_path,
                                       shown_path);
  context.err << "leashctl: " << entries_text << " to add" << seen;
  return kDone;
}

}  // namespace leash::ctl
