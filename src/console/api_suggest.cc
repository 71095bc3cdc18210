// GET /api/suggest: rules for what agents used and enforce does not allow, as leashctl learn has
// them.
#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "config/policy_reader.h"
#include "console/api.h"
#include "console/replay.h"
#include "insight/learner.h"
#include "insight/suffixes.h"

namespace leash::console {
namespace {

constexpr std::uint64_t kMostTimes = 20;  // that the learner is told of like requests

insight::LogEvent as_event(const Row& row) {
  insight::LogEvent event;
  event.ts = static_cast<double>(row.time_us) / 1e6;
  event.time = insight::moment_of(*event.ts);
  event.event = row.event_word();
  event.client = row.client;
  event.agent = row.agent;
  event.host = row.host;
  event.port = row.port;
  event.method = row.method;
  event.url = row.url;
  event.addr = row.addr;
  event.bytes_down = row.bytes_down;
  event.requests = row.requests;
  if (row.has(kSpliced)) event.tls = "splice";
  if (row.has(kNameMismatch)) event.names = "mismatch";
  event.id = row.id;
  return event;
}

// One rule of a proposal, and what of the log it would cover.
struct SuggestedRule {
  PolicyChange change;
  std::uint16_t port = 0;
  std::string method;
  std::string prefix;
  std::string evidence;
  std::uint64_t count = 0;
  bool is_spliced = false;

  [[nodiscard]] bool covers(const ReplayedRequest& request) const {
    if (port != request.port) return false;
    const std::string& name = request.host.text();
    const std::string& host = change.entry.host;
    const bool is_host = name == host || (!request.host.is_ip() && name.size() > host.size() &&
                                          name.ends_with("." + host));
    return is_host && (method.empty() || method == request.method) &&
           (prefix.empty() || request.path.starts_with(prefix));
  }
};

std::vector<SuggestedRule> rules_of(const config::NewEntry& proposal) {
  std::vector<SuggestedRule> out;
  SuggestedRule rule;
  for (const std::string& comment : proposal.comments) {
    rule.evidence += (rule.evidence.empty() ? "" : "\n") + comment;
  }
  rule.is_spliced = proposal.entry.tls == policy::TlsMode::kSplice;
  rule.change.entry.host = proposal.entry.host.text();
  for (const std::uint16_t port : proposal.entry.ports) {
    rule.port = port;
    rule.change.entry.ports = {port};
    if (proposal.entry.paths.empty()) out.push_back(rule);
    for (const policy::PathRule& path : proposal.entry.paths) {
      rule.method = rule.change.entry.method = path.method;
      rule.prefix = rule.change.entry.prefix = path.prefix;
      out.push_back(rule);
    }
  }
  return out;
}

void write_rule(JsonWriter& json, const SuggestedRule& rule) {
  json.begin_object().key("host").text(rule.change.entry.host);
  json.key("ports").begin_array().number(std::uint64_t{rule.port}).end_array();
  if (!rule.method.empty()) json.key("methods").begin_array().text(rule.method).end_array();
  if (!rule.prefix.empty()) json.key("paths").begin_array().text(rule.prefix).end_array();
  json.key("count").number(rule.count).key("evidence").text(rule.evidence).key("change");
  write_change(json, rule.change);
  json.end_object();
}

struct Group {
  std::uint64_t requests = 0;
  std::set<std::string> agents;
  std::vector<const SuggestedRule*> rules;
};

// Counts what each rule would cover, and who asked for it.
std::map<std::string, Group> grouped(std::vector<SuggestedRule>& rules,
                                     const std::vector<RequestGroup>& requests) {
  std::map<std::string, Group> out;
  std::multimap<std::string, SuggestedRule*> by_host;
  for (SuggestedRule& rule : rules) {
    by_host.emplace(rule.change.entry.host, &rule);
    out[insight::registrable_domain(rule.change.entry.host)].rules.push_back(&rule);
  }
  for (const RequestGroup& group : requests) {
    const auto request = replayed(group.newest);
    if (!request || group.newest.kind == EventKind::kBlocked) continue;
    for (const std::string_view name : policy::lookup_names(request->host)) {
      const auto [first, last] = by_host.equal_range(std::string(name));
      const auto found = std::find_if(
          first, last, [&](const auto& each) { return each.second->covers(*request); });
      if (found == last) continue;
      found->second->count += group.count;
      Group& domain = out[insight::registrable_domain(found->second->change.entry.host)];
      domain.requests += group.count;
      domain.agents.insert(group.newest.agent.empty() ? group.newest.client : group.newest.agent);
      break;
    }
  }
  return out;
}

struct Coverage {
  std::uint64_t requests = 0;
  std::uint64_t passed = 0;
};

Coverage coverage_of(const policy::Snapshot& enforcing, const std::vector<RequestGroup>& requests) {
  Coverage out;
  const auto now = std::chrono::system_clock::now();
  for (const RequestGroup& group : requests) {
    const auto request = replayed(group.newest);
    if (!request) continue;
    out.requests += group.count;
    if (decide_again(enforcing, *request, now)) out.passed += group.count;
  }
  return out;
}

Reply answer(std::map<std::string, Group> domains, const Coverage& covered,
             const insight::Proposal& proposal) {
  std::vector<std::pair<std::string, Group>> sorted(domains.begin(), domains.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    return a.second.requests > b.second.requests;
  });
  JsonWriter json;
  json.begin_object().key("groups").begin_array();
  for (const auto& [domain, group] : sorted) {
    json.begin_object().key("domain").text(domain).key("requests").number(group.requests);
    json.key("agents").number(std::uint64_t{group.agents.size()}).key("rules").begin_array();
    for (const SuggestedRule* rule : group.rules) write_rule(json, *rule);
    json.end_array().end_object();
  }
  json.end_array().key("covered").begin_object().key("requests").number(covered.requests);
  json.key("passed").number(covered.passed).end_object().key("left_out").begin_array();
  for (const std::string& line : proposal.left_out) json.text(line);
  json.end_array().end_object();
  return json_reply(json.take());
}

Reply suggest(Parts& parts, const Call& call) {
  const auto hours = read_count(call.request, "hours", 24, 24UL * 31);
  if (!hours) return error_reply(hours.error());
  const auto policy = parts.desk.propose({}, {}, policy::Mode::kEnforce);
  if (!policy) return error_reply(policy.error());
  const RowFilter filter =
      replay_filter(static_cast<std::int64_t>(std::max<std::size_t>(*hours, 1)));
  const auto found =
      parts.readers.ask([&](IndexReader& reader) { return reader.groups(filter, kMostGroups); });
  if (!found) return error_reply(found.error());
  insight::Learner learner(policy->proposed->enforce, std::chrono::system_clock::now());
  for (const RequestGroup& group : found->groups) {
    const insight::LogEvent event = as_event(group.newest);
    for (std::uint64_t i = 0; i < std::min(group.count, kMostTimes); ++i) learner.add(event);
  }
  const insight::Proposal proposal = learner.propose(1);
  std::vector<SuggestedRule> rules;
  for (const config::NewEntry& entry : proposal.entries) {
    for (SuggestedRule& rule : rules_of(entry)) {
      // The API has no word for splicing: leashctl learn proposes such an entry.
      if (!rule.is_spliced) rules.push_back(std::move(rule));
    }
  }
  return answer(grouped(rules, found->groups), coverage_of(*policy->proposed, found->groups),
                proposal);
}

}  // namespace

void add_suggest_routes(Router& router, Parts& parts) {
  router.add(
      {"GET",
       "/api/suggest",
       {},
       "rules for what agents used and enforce.yaml does not allow",
       {{"hours", "to look back; 24, at most 744"}},
       nullptr,
       R"({"type":"object","required":["groups","covered"],"properties":{"groups":{"type":"array","items":{"type":"object","required":["domain","requests","agents","rules"]}},"covered":{"type":"object","required":["requests","passed"]},"left_out":{"type":"array","items":{"type":"string"}}}})",
       [&parts](const Call& call) { return suggest(parts, call); }});
}

}  // namespace leash::console
