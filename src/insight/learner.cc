#include "insight/learner.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <tuple>

#include "config/policy_reader.h"
#include "insight/printable.h"
#include "insight/suffixes.h"
#include "policy/address_guard.h"
#include "policy/decide.h"

namespace leash::insight {
namespace {

constexpr std::size_t kHostsOfAGroup = 8;
constexpr std::size_t kMostLabels = 6;  // of the parent of a group
constexpr std::size_t kMostRules = 24;  // of an entry
constexpr std::uint64_t kFewRequests = 5;
constexpr std::size_t kLongestSample = 200;
constexpr std::size_t kMostNamed = 5;  // hosts of a group in its comment
constexpr std::uint64_t kHighestPort = 65535;

// Printable ASCII, for a comment: nothing in it ends the line or hides.
std::string ascii(std::string_view text, std::size_t max) {
  std::string out;
  for (const char c : shortened(printable(text), max)) {
    if (c >= ' ' && c <= '~') {
      out += c;
    } else {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::optional<base::Authority> authority_of(const LogEvent& event) {
  if (!event.port || *event.port == 0 || *event.port > kHighestPort) return std::nullopt;
  base::Authority authority;
  authority.port = static_cast<std::uint16_t>(*event.port);
  if (const auto ip = base::IpAddress::parse(event.host)) {
    authority.host = base::Host::from_ip(*ip);
  } else {
    auto host = base::Host::parse(event.host);
    if (!host) return std::nullopt;
    authority.host = std::move(*host);
  }
  // leash writes canonical hosts. Another spelling is not from it, and reads as we do not know
  // what.
  if (authority.host.text() != event.host) return std::nullopt;
  return authority;
}

// What policy compares: all behind the authority. "" where the URL has no authority.
std::string_view path_of(std::string_view url) {
  const auto scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) return {};
  url.remove_prefix(scheme_end + 3);
  const auto path = url.find_first_of("/?#");
  return path == std::string_view::npos || url[path] != '/' ? "/" : url.substr(path);
}

// A sample to recognise the request by. Queries and segments that may be tokens stay in the log.
std::string sample_of(const LogEvent& event) {
  const std::string_view url = event.url;
  const std::string_view path = path_of(url);
  std::string out = event.method + " ";
  out += url.substr(0, url.find_first_of("/?#", url.find("://") + 3));
  std::string_view rest = path.substr(0, path.find_first_of("?#"));
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::string_view segment = rest.substr(0, rest.find('/'));
    out += '/';
    out += segment.empty() || !is_variable_segment(segment) ? segment : "*";
    rest.remove_prefix(segment.size());
  }
  return out;
}

std::string joined(const std::set<std::string>& words, bool has_more) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += ", ";
    out += ascii(word, 64);
  }
  return has_more ? out + " and others" : out;
}

std::string counted(std::uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string place_text(const base::Authority& authority, std::uint64_t requests,
                       std::string_view noun) {
  return authority.text() + " (" + counted(requests, noun) + ")";
}

}  // namespace

struct Learner::Rules {
  struct Rule {
    policy::PathRule rule;
    std::uint64_t requests = 0;
  };
  std::vector<Rule> rules;

  [[nodiscard]] std::vector<policy::PathRule> paths() const {
    std::vector<policy::PathRule> out;
    for (const Rule& rule : rules) out.push_back(rule.rule);
    return out;
  }
};

// An entry to be, and the places that it stands for.
struct Learner::Draft {
  base::Host host;
  std::vector<std::uint16_t> ports;
  policy::TlsMode tls = policy::TlsMode::kIntercept;
  std::vector<const Place*> places;
  Rules rules;
};

Learner::Learner(std::shared_ptr<const policy::EntryMap> today, Moment now) : now_(now) {
  today_.enforce = today != nullptr ? std::move(today) : std::make_shared<const policy::EntryMap>();
  today_.blocklist = std::make_shared<const policy::EntryMap>();
}

void Learner::add(const LogEvent& event) {
  if (event.event == "allowed") return add_request(event);
  if (event.event == "tunnel_closed") return add_tunnel(event);
  const bool is_refusal = event.event == "blocked" || event.event == "error";
  if (is_refusal && event.url.empty() && !event.id.empty()) {
    // The line of the tunnel's end follows at once: what is older is of a CONNECT that was refused.
    if (refused_tunnels_.size() == kMostRefusedTunnels) {
      older_refused_tunnels_ = std::move(refused_tunnels_);
      refused_tunnels_.clear();
    }
    refused_tunnels_.insert(event.id.substr(0, 64));
  }
}

Learner::Evidence* Learner::place_for(const base::Authority& authority) {
  const auto found = places_.find(authority);
  if (found != places_.end()) return &found->second;
  if (places_.size() < kMostPlaces) return &places_[authority];
  ++beyond_;
  return nullptr;
}

void Learner::witness(Evidence& evidence, const LogEvent& event) {
  ++requests_;
  const std::string agent = (event.agent.empty() ? event.client : event.agent).substr(0, 256);
  if (evidence.agents.size() < kMostAgents) {
    evidence.agents.insert(agent);
  } else if (!evidence.agents.contains(agent)) {
    evidence.has_more_agents = true;
  }
  if (event.ts) {
    evidence.first = std::min(evidence.first, event.time);
    evidence.last = std::max(evidence.last, event.time);
    first_ = std::min(first_, event.time);
    last_ = std::max(last_, event.time);
  }
  if (evidence.private_address.empty() && !event.addr.empty()) {
    const auto dialled = base::parse_connect_target(event.addr);
    if (dialled && dialled->host.is_ip() &&
        policy::address_class(*dialled->host.ip()) != "public") {
      evidence.private_address = dialled->host.text();
    }
  }
}

Learner::Evidence* Learner::evidence_of(const LogEvent& event, const base::Authority& authority) {
  if (!event.names.empty()) {
    ++mismatches_;
    return nullptr;
  }
  Evidence* evidence = place_for(authority);
  if (evidence != nullptr) witness(*evidence, event);
  return evidence;
}

void Learner::add_request(const LogEvent& event) {
  const auto authority = authority_of(event);
  if (!authority || event.url.empty()) {
    ++strange_;
    return;
  }
  Evidence* evidence = evidence_of(event, *authority);
  if (evidence == nullptr) return;
  const std::string_view path = path_of(event.url);
  const bool is_allowed =
      policy::decide(today_, {authority->host, authority->port, event.method, path}, now_)
          .is_allowed;
  const policy::Entry* entry = governing(authority->host);
  ++evidence->requests;
  // Entries of one host add up. What a parent domain allows counts again, since an entry for the
  // host would be final.
  if (is_allowed && entry != nullptr && entry->host == authority->host) return;
  if (!path.starts_with('/')) {
    ++evidence->unwritable;
    return;
  }
  if (policy::is_ambiguous_path(path)) {
    ++evidence->ambiguous;
    return;
  }
  const auto method = config::parse_policy_method(event.method);
  if (!method || method->empty() ||
      (evidence->methods.size() == kMostMethods && !evidence->methods.contains(*method))) {
    ++evidence->unwritable;
    return;
  }
  if (!is_allowed) {
    ++evidence->missing;
    if (evidence->sample.empty()) evidence->sample = ascii(sample_of(event), kLongestSample);
  }
  evidence->methods[*method].add(path, segments_left_);
}

void Learner::add_tunnel(const LogEvent& event) {
  const std::string id = event.id.substr(0, 64);
  const bool was_refused = refused_tunnels_.contains(id) || older_refused_tunnels_.contains(id);
  const bool is_spliced = event.tls == "splice";
  const auto authority = authority_of(event);
  if (!authority) {
    if (is_spliced) ++strange_;
    return;
  }
  if (was_refused || (!is_spliced && event.requests.value_or(0) > 0)) return;
  const bool is_allowed =
      policy::decide(today_, {authority->host, authority->port, {}, {}}, now_).is_allowed;
  if (!is_spliced || event.bytes_down.value_or(0) == 0) {
    if (!is_allowed && (idle_.size() < kMostIdlePlaces || idle_.contains(*authority))) {
      ++idle_[*authority];
    }
    return;
  }
  Evidence* evidence = evidence_of(event, *authority);
  if (evidence == nullptr) return;
  ++evidence->tunnels;
  if (!is_allowed) ++evidence->missing;
}

const policy::Entry* Learner::governing(const base::Host& host) const {
  const auto found = today_.enforce->find(host, now_);
  return found.empty() ? nullptr : found.front();
}

// Why no entry is proposed for a place; "" where one is.
std::string Learner::objection(const Place& place, std::uint64_t min_requests) const {
  const auto& [authority, evidence] = place;
  const base::Host& host = authority.host;
  if (evidence.missing < min_requests) {
    return fmt::format("fewer than {}", counted(min_requests, "request"));
  }
  if (std::string shared = shared_name_warning(host); !shared.empty()) return shared;
  if (host.is_ip() && policy::address_class(*host.ip()) == "metadata") {
    return "a metadata service: it hands out credentials";
  }
  for (const policy::Entry* entry : today_.enforce->find(host, now_)) {
    if (entry->host == host) continue;
    if (!entry->networks.empty() || entry->tls == policy::TlsMode::kSplice) {
      return fmt::format(
          "{}:{} {} allows it in part, with networks or tls, which an entry for the host would "
          "take from it: edit by hand",
          entry->file, entry->line, entry->host.text());
    }
  }
  return {};
}

// For each host that a parent domain stands for, that parent.
std::map<std::string, std::string> Learner::parents_of(const std::set<std::string>& hosts) {
  std::map<std::string, std::set<std::string>> below;
  for (const std::string& host : hosts) {
    const auto parsed = base::Host::parse(host);
    if (!parsed) continue;
    for (const std::string_view name : policy::lookup_names(*parsed)) {
      const auto labels = static_cast<std::size_t>(std::count(name.begin(), name.end(), '.')) + 1;
      if (name != host && labels <= kMostLabels) below[std::string(name)].insert(host);
    }
  }
  std::vector<std::string> parents;
  for (const auto& [parent, names] : below) {
    if (names.size() >= kHostsOfAGroup && has_one_owner(parent)) parents.push_back(parent);
  }
  // The deepest first: the narrower parent takes its hosts, and those above count what is left.
  std::stable_sort(parents.begin(), parents.end(), [](const auto& a, const auto& b) {
    return std::count(a.begin(), a.end(), '.') > std::count(b.begin(), b.end(), '.');
  });
  std::map<std::string, std::string> parent_of;
  for (const std::string& parent : parents) {
    const auto is_free = [&](const std::string& host) { return !parent_of.contains(host); };
    const auto& names = below[parent];
    if (static_cast<std::size_t>(std::count_if(names.begin(), names.end(), is_free)) <
        kHostsOfAGroup) {
      continue;
    }
    for (const std::string& host : names) parent_of.emplace(host, parent);
    if (hosts.contains(parent)) parent_of.emplace(parent, parent);
  }
  return parent_of;
}

// Which entry each candidate goes into. The exact host is final, then its nearest parent: so an
// entry must not come between a host and the entry that stands for it, a proposed one or one of
// today's. Places of today's that a proposed entry would take over become candidates.
std::map<std::string, std::string> Learner::assign(std::set<const Place*>& candidates) const {
  std::set<std::string> alone;  // hosts with an entry of their own
  for (const Place* place : candidates) {
    const auto& [authority, evidence] = *place;
    if (authority.host.is_ip() || evidence.tunnels > 0 || governing(authority.host) != nullptr) {
      alone.insert(authority.host.text());
    }
  }
  for (;;) {
    std::set<std::string> groupable;
    std::map<std::string, std::string> entry_of;
    for (const Place* place : candidates) {
      const std::string& host = place->first.host.text();
      entry_of.emplace(host, host);
      if (!alone.contains(host)) groupable.insert(host);
    }
    for (const auto& [host, parent] : parents_of(groupable)) entry_of[host] = parent;
    std::set<std::string, std::less<>> names;
    for (const auto& [host, name] : entry_of) names.insert(name);
    const auto nearest = [&names](const base::Host& host) {
      for (const std::string_view name : policy::lookup_names(host)) {
        if (names.contains(name)) return name;
      }
      return std::string_view();
    };
    bool is_changed = false;
    for (const Place& place : places_) {
      const base::Host& host = place.first.host;
      const std::string_view name = nearest(host);
      if (candidates.contains(&place)) {
        if (name != entry_of[host.text()]) is_changed |= alone.insert(host.text()).second;
        continue;
      }
      const policy::Entry* today = governing(host);
      const bool is_taken_over =
          today != nullptr && !(today->host == host) && name.size() > today->host.text().size();
      if (!is_taken_over || !objection(place, 0).empty()) continue;
      if (place.second.methods.empty() && place.second.tunnels == 0) continue;
      alone.insert(host.text());
      candidates.insert(&place);
      is_changed = true;
    }
    if (!is_changed) return entry_of;
  }
}

Learner::Rules Learner::rules_of(const std::vector<const Place*>& places) {
  std::set<std::string> methods;
  for (const Place* place : places) {
    for (const auto& [method, paths] : place->second.methods) methods.insert(method);
  }
  Rules out;
  for (std::size_t depth = PathTree::kMaxDepth;; --depth) {
    out.rules.clear();
    for (const std::string& method : methods) {
      std::vector<PathTree::Prefix> prefixes;
      for (const Place* place : places) {
        const auto found = place->second.methods.find(method);
        if (found == place->second.methods.end()) continue;
        for (PathTree::Prefix& prefix : found->second.prefixes(depth)) {
          if (!config::prefix_fault(prefix.text).empty()) prefix.text = "/";
          prefixes.push_back(std::move(prefix));
        }
      }
      if (places.size() > 1 && prefixes.size() > PathTree::kMaxBranches) {
        PathTree::reduce(prefixes);
        if (prefixes.size() > PathTree::kMaxBranches) {
          for (PathTree::Prefix& prefix : prefixes) prefix.text = "/";
        }
      }
      PathTree::reduce(prefixes);
      for (PathTree::Prefix& prefix : prefixes) {
        out.rules.push_back({{method, std::move(prefix.text)}, prefix.requests});
      }
    }
    if (out.rules.size() <= kMostRules || depth == 0) return out;
  }
}

config::NewEntry Learner::entry_for(const Draft& draft) const {
  Evidence all;
  std::set<std::string> hosts;
  for (const Place* place : draft.places) {
    const auto& [authority, evidence] = *place;
    hosts.insert(authority.host.text());
    all.requests += evidence.requests;
    all.tunnels += evidence.tunnels;
    all.ambiguous += evidence.ambiguous;
    all.unwritable += evidence.unwritable;
    all.agents.insert(evidence.agents.begin(), evidence.agents.end());
    all.has_more_agents = all.has_more_agents || evidence.has_more_agents;
    all.first = std::min(all.first, evidence.first);
    all.last = std::max(all.last, evidence.last);
    if (all.sample.empty()) all.sample = evidence.sample;
    if (all.private_address.empty()) all.private_address = evidence.private_address;
  }
  while (all.agents.size() > kMostAgents) {
    all.agents.erase(std::prev(all.agents.end()));
    all.has_more_agents = true;
  }

  config::NewEntry out;
  out.entry.host = draft.host;
  out.entry.ports = draft.ports;
  out.entry.tls = draft.tls;
  out.entry.paths = draft.rules.paths();
  const bool is_spliced = draft.tls == policy::TlsMode::kSplice;
  auto& comments = out.comments;
  std::string evidence = is_spliced ? counted(all.tunnels, "tunnel") + ", not read,"
                                    : counted(all.requests, "request");
  evidence += " by " + joined(all.agents, all.has_more_agents);
  if (all.first <= all.last) {
    evidence += ", " + second_text(all.first) + " to " + second_text(all.last);
  }
  comments.push_back(std::move(evidence));
  if (!is_spliced && !all.sample.empty()) comments.push_back("such as " + all.sample);
  if (draft.rules.rules.size() > 1) {
    for (const Rules::Rule& rule : draft.rules.rules) {
      comments.push_back(fmt::format("  {} of {} {}", rule.requests, rule.rule.method,
                                     ascii(rule.rule.prefix, kLongestSample)));
    }
  }
  if (hosts.size() > 1) {
    std::string names;
    std::size_t shown = 0;
    for (auto host = hosts.begin(); host != hosts.end() && shown < kMostNamed; ++host, ++shown) {
      names += (shown == 0 ? "" : ", ") + *host;
    }
    if (hosts.size() > shown) names += fmt::format(" and {} more", hosts.size() - shown);
    comments.push_back("stands for " + counted(hosts.size(), "host") + ": " + names);
  }
  if (!is_spliced && all.requests < kFewRequests) {
    comments.emplace_back("few requests, so every path: narrow it if you can");
  }
  if (!is_spliced && all.tunnels > 0) {
    comments.push_back(counted(all.tunnels, "tunnel") + " that were not read will be");
  }
  if (all.ambiguous > 0) {
    comments.push_back(counted(all.ambiguous, "request") +
                       " with dot segments or the like stay refused (ambiguous_path)");
  }
  if (all.unwritable > 0) {
    comments.push_back(counted(all.unwritable, "request") +
                       " with a method or target that no path rule can name stay refused");
  }
  if (draft.host.is_ip() && policy::address_class(*draft.host.ip()) != "public") {
    comments.emplace_back("not a public address: this entry opens it in every mode");
  } else if (!all.private_address.empty()) {
    comments.push_back("resolved to " + all.private_address +
                       ", not a public address: needs networks or --allow-origin-network");
  }
  if (const policy::Entry* entry = governing(draft.host);
      entry != nullptr && !(entry->host == draft.host)) {
    comments.push_back(fmt::format("takes the place of {}:{} {} for this host", entry->file,
                                   entry->line, entry->host.text()));
  }
  return out;
}

void Learner::draft_entries(const std::vector<const Place*>& candidates, Proposal& proposal) const {
  std::set<const Place*> members(candidates.begin(), candidates.end());
  const auto entry_of = assign(members);
  std::map<base::Host, std::map<std::uint16_t, std::vector<const Place*>>> hosts;
  for (const Place& place : places_) {
    if (!members.contains(&place)) continue;
    const base::Host& host = place.first.host;
    const std::string& name = entry_of.at(host.text());
    const auto of_entry = name == host.text() ? host : base::Host::parse(name).value_or(host);
    hosts[of_entry][place.first.port].push_back(&place);
  }

  for (const auto& [host, ports] : hosts) {
    std::vector<Draft> drafts;
    for (const auto& [port, places] : ports) {
      Draft draft{host, {port}, policy::TlsMode::kIntercept, places, rules_of(places)};
      // Only tunnels were seen: policy splices where no entry for the port says otherwise.
      if (draft.rules.rules.empty()) draft.tls = policy::TlsMode::kSplice;
      const auto twin = std::find_if(drafts.begin(), drafts.end(), [&](const Draft& other) {
        return other.tls == draft.tls && other.rules.paths() == draft.rules.paths();
      });
      if (twin == drafts.end()) {
        drafts.push_back(std::move(draft));
        continue;
      }
      twin->ports.push_back(port);
      twin->places.insert(twin->places.end(), places.begin(), places.end());
      for (std::size_t i = 0; i < twin->rules.rules.size(); ++i) {
        twin->rules.rules[i].requests += draft.rules.rules[i].requests;
      }
    }
    for (const Draft& draft : drafts) proposal.entries.push_back(entry_for(draft));
  }
}

Proposal Learner::propose(std::uint64_t min_requests) const {
  Proposal out;
  out.requests = requests_;
  out.places = places_.size();
  out.first = first_;
  out.last = last_;
  std::vector<const Place*> candidates;
  for (const Place& place : places_) {
    const auto& [authority, evidence] = place;
    if (evidence.missing == 0) {
      if (evidence.ambiguous + evidence.unwritable > 0) {
        out.left_out.push_back(
            place_text(authority, evidence.ambiguous + evidence.unwritable, "request") +
            ": no path rule can name them");
      } else {
        ++out.places_allowed;
      }
    } else if (const std::string why = objection(place, min_requests); !why.empty()) {
      out.left_out.push_back(place_text(authority, evidence.missing, "request") + ": " +
                             ascii(why, kLongestSample));
    } else {
      candidates.push_back(&place);
    }
  }
  draft_entries(candidates, out);
  for (const auto& [authority, tunnels] : idle_) {
    if (places_.contains(authority)) continue;
    out.left_out.push_back(place_text(authority, tunnels, "tunnel") +
                           ": no request inside; does the client trust the CA?");
  }
  const auto tell = [&out](std::uint64_t count, std::string_view what) {
    if (count > 0) out.left_out.push_back(counted(count, "request") + " " + std::string(what));
  };
  tell(mismatches_, "whose names disagree: enforce refuses them whatever is listed");
  tell(beyond_, "to further hosts, beyond 20000");
  tell(strange_, "without a proper host, port or URL");
  return out;
}

}  // namespace leash::insight
