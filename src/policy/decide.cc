#include "policy/decide.h"

#include <optional>

#include "policy/address_guard.h"
#include "policy/path_match.h"

namespace leash::policy {
namespace {

constexpr std::string_view kNotInAllowlist = "not_in_allowlist";
constexpr std::string_view kPathNotAllowed = "path_not_allowed";
constexpr std::string_view kInBlocklist = "in_blocklist";
constexpr std::string_view kAmbiguousPath = "ambiguous_path";

bool is_connect(const Facts& facts) { return facts.method.empty() && facts.path.empty(); }

std::string rule_text(std::string_view file, int line, std::string_view host) {
  std::string out(file);
  out.append(":").append(std::to_string(line)).append(" ").append(host);
  return out;
}

void name_rule(Decision& decision, const Entry& entry) {
  decision.rule = rule_text(entry.file, entry.line, entry.host.text());
  decision.note = entry.reason;
}

Decision refuse(std::string_view reason, const Entry* entry) {
  Decision decision;
  decision.reason = reason;
  if (entry != nullptr) name_rule(decision, *entry);
  return decision;
}

Decision allow(const Entry& entry) {
  Decision decision;
  decision.is_allowed = true;
  name_rule(decision, entry);
  return decision;
}

std::vector<const Entry*> allowing_port(const std::vector<const Entry*>& found,
                                        std::uint16_t port) {
  std::vector<const Entry*> usable;
  for (const Entry* entry : found) {
    if (entry->health == Health::kGood && entry->covers_port(port)) usable.push_back(entry);
  }
  return usable;
}

Decision enforce_verdict(const std::vector<const Entry*>& found,
                         const std::vector<const Entry*>& usable, const Facts& facts) {
  if (usable.empty()) return refuse(kNotInAllowlist, found.empty() ? nullptr : found.front());
  if (is_connect(facts)) return allow(*usable.front());
  for (const Entry* entry : usable) {
    if (entry->paths.empty()) return allow(*entry);
  }
  // Only entries with path rules are left.
  if (is_ambiguous_path(facts.path)) return refuse(kAmbiguousPath, usable.front());
  for (const Entry* entry : usable) {
    for (const PathRule& rule : entry->paths) {
      if (matches(rule, facts.method, facts.path)) return allow(*entry);
    }
  }
  return refuse(kPathNotAllowed, usable.front());
}

// Decides on the entries of the first enforce host found, and takes from them what holds in every
// mode: networks, TLS.
Decision judge_enforce(const Snapshot& snapshot, const Facts& facts,
                       std::chrono::system_clock::time_point now) {
  std::vector<const Entry*> found;
  if (snapshot.enforce) found = snapshot.enforce->find(facts.host, now);
  const auto usable = allowing_port(found, facts.port);
  Decision decision = enforce_verdict(found, usable, facts);
  bool all_splice = !usable.empty();
  for (const Entry* entry : usable) {
    decision.networks.insert(decision.networks.end(), entry->networks.begin(),
                             entry->networks.end());
    // Where entries disagree the stricter one counts: only what is intercepted can be checked.
    all_splice = all_splice && entry->tls == TlsMode::kSplice && entry->paths.empty();
  }
  if (all_splice) decision.tls = TlsMode::kSplice;
  decision.names_address = facts.host.is_ip() && !usable.empty();
  return decision;
}

struct BlockVerdict {
  Decision decision;            // is_allowed: nothing blocks
  bool has_path_rules = false;  // some apply to this host and port
};

BlockVerdict judge_block_entries(const std::vector<const Entry*>& found, const Facts& facts) {
  BlockVerdict verdict;
  const Entry* ambiguous = nullptr;
  std::optional<PathReadings> readings;  // made once, and only where a rule asks
  const bool knows_path = !is_connect(facts);
  for (const Entry* entry : found) {
    if (entry->health == Health::kFaulty) return {refuse(kInBlocklist, entry), false};
    if (!entry->covers_port(facts.port)) continue;
    if (entry->paths.empty()) return {refuse(kInBlocklist, entry), false};
    verdict.has_path_rules = true;
    if (!knows_path) continue;
    if (!readings) readings.emplace(facts.path);
    for (const PathRule& rule : entry->paths) {
      if (readings->match(rule, facts.method)) {
        return {refuse(kInBlocklist, entry), true};
      }
    }
    if (ambiguous == nullptr && is_ambiguous_path(facts.path)) ambiguous = entry;
  }
  if (ambiguous != nullptr) {
    verdict.decision = refuse(kAmbiguousPath, ambiguous);
  } else {
    verdict.decision.is_allowed = true;
  }
  return verdict;
}

BlockVerdict judge_blocklist_as(const Snapshot& snapshot, const Facts& facts,
                                std::chrono::system_clock::time_point now) {
  for (const std::string_view name : lookup_names(facts.host)) {
    std::vector<const Entry*> found;
    if (snapshot.blocklist) found = snapshot.blocklist->at(name, now);
    for (const auto& list : snapshot.block_lists) {
      const int line = list ? list->line_of(name) : 0;
      if (line == 0) continue;
      Decision decision = refuse(kInBlocklist, nullptr);
      decision.rule = rule_text(list->file(), line, name);
      return {std::move(decision), false};
    }
    if (!found.empty()) return judge_block_entries(found, facts);
  }
  BlockVerdict nothing;
  nothing.decision.is_allowed = true;
  return nothing;
}

// An IPv6 literal that a translator on the way turns into an IPv4 address is that address too.
BlockVerdict judge_blocklist(const Snapshot& snapshot, const Facts& facts,
                             std::chrono::system_clock::time_point now) {
  BlockVerdict verdict = judge_blocklist_as(snapshot, facts, now);
  if (!facts.host.is_ip()) return verdict;
  for (const base::IpAddress& inner : embedded_addresses(*facts.host.ip())) {
    if (!verdict.decision.is_allowed) break;
    const base::Host host = base::Host::from_ip(inner);
    BlockVerdict other =
        judge_blocklist_as(snapshot, {host, facts.port, facts.method, facts.path}, now);
    other.has_path_rules = other.has_path_rules || verdict.has_path_rules;
    verdict = std::move(other);
  }
  return verdict;
}

}  // namespace

Decision decide(const Snapshot& snapshot, const Facts& facts,
                std::chrono::system_clock::time_point now) {
  Decision decision = judge_enforce(snapshot, facts, now);
  if (snapshot.mode == Mode::kEnforce) return decision;

  const bool would_block = !decision.is_allowed;
  if (snapshot.mode == Mode::kBlocklist) {
    BlockVerdict block = judge_blocklist(snapshot, facts, now);
    if (!block.decision.is_allowed) return std::move(block.decision);
    // A spliced connection would carry requests past the path rules.
    if (block.has_path_rules) decision.tls = TlsMode::kIntercept;
  }
  decision.is_allowed = true;
  decision.reason = {};
  decision.would_block = would_block && !is_connect(facts);
  if (would_block) {
    decision.rule.clear();
    decision.note.clear();
  }
  return decision;
}

}  // namespace leash::policy
