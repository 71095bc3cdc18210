// A log of whatever lines: the policy that is learned from it reads, covers what it says it covers
// and names no host that is not in the log; the report of it holds no tag but its own.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "config/policy_reader.h"
#include "ctl/report_page.h"
#include "insight/learner.h"
#include "insight/suffixes.h"

namespace {

using leash::config::PolicyList;

constexpr std::string_view kToday =
    "allow:\n  - host: example.net\n  - host: api.example.net\n    ports: [8443]\n";

void require(bool is_true) {
  if (!is_true) std::abort();
}

std::shared_ptr<const leash::policy::EntryMap> read(std::string_view text) {
  auto entries = std::make_shared<leash::policy::EntryMap>();
  const auto done = leash::config::read_policy_text(
      text, PolicyList::kEnforce, [&](leash::policy::Entry&& entry) {
        require(entry.health == leash::policy::Health::kGood);
        entries->add(std::move(entry));
      });
  require(!done.is_broken && done.findings.empty());
  return entries;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const leash::insight::Moment now{};
  leash::insight::Learner alone(nullptr, now);
  leash::insight::Learner beside(read(kToday), now);
  leash::ctl::ReportData report;
  std::set<std::string> hosts;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const auto event = leash::insight::read_event(line);
    if (!event) continue;
    hosts.insert(event->host);
    alone.add(*event);
    beside.add(*event);
    report.add(*event);
  }
  for (const auto* learner : {&alone, &beside}) {
    const auto proposal = learner->propose(1);
    const std::string_view today = learner == &alone ? std::string_view() : kToday;
    const auto text =
        leash::config::text_with_entries(PolicyList::kEnforce, today, proposal.entries);
    require(text.has_value());
    read(*text);
    for (const auto& added : proposal.entries) {
      require(hosts.contains(added.entry.host.text()) ||
              leash::insight::has_one_owner(added.entry.host.text()));
      require(leash::insight::shared_name_warning(added.entry.host).empty());
    }
  }
  const std::string page = leash::ctl::report_page(report, {});
  require(page.find("<script") == std::string::npos && page.find("<img") == std::string::npos);
  return 0;
}
