// Any text as enforce.yaml and as blocklist.yaml: never a crash, and what is faulty never allows.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/policy_reader.h"
#include "policy/decide.h"

namespace {

using leash::config::PolicyList;
using leash::policy::Entry;
using leash::policy::Health;

std::shared_ptr<const leash::policy::EntryMap> read(PolicyList list, std::string_view text) {
  auto map = std::make_shared<leash::policy::EntryMap>();
  const auto file =
      read_policy_text(text, list, [&](Entry&& entry) { map->add(std::move(entry)); });
  if (file.is_broken) {
    if (file.findings.empty()) std::abort();
    return std::make_shared<leash::policy::EntryMap>();
  }
  return map;
}

bool is_any(const std::vector<Entry>& entries, Health health) {
  for (const Entry& entry : entries) {
    if (entry.health == health) return true;
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  leash::policy::Snapshot policy;
  policy.enforce = read(PolicyList::kEnforce, text);
  policy.blocklist = read(PolicyList::kBlocklist, text);
  const auto now = std::chrono::system_clock::time_point(std::chrono::hours(24 * 20'000));

  for (const auto& [name, entries] : policy.enforce->all()) {
    for (const Entry& entry : entries) {
      const leash::policy::Facts facts{entry.host, 443, {}, {}};
      const bool allows = decide(policy, facts, now).is_allowed;
      if (allows && !is_any(entries, Health::kGood)) {
        // Only a parent's entry might, and the exact host shadows it unless it has expired.
        if (entry.expires > now) std::abort();
      }
    }
  }
  policy.mode = leash::policy::Mode::kBlocklist;
  for (const auto& [name, entries] : policy.blocklist->all()) {
    for (const Entry& entry : entries) {
      if (entry.health != Health::kFaulty || entry.expires <= now) continue;
      const leash::policy::Facts facts{entry.host, 1, "GET", "/"};
      if (decide(policy, facts, now).is_allowed) std::abort();
    }
  }
  return 0;
}
