// What the log of a run shows that policy has to allow.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/authority.h"
#include "config/policy_edit.h"
#include "insight/log_event.h"
#include "insight/path_tree.h"
#include "policy/snapshot.h"

namespace leash::insight {

struct Proposal {
  std::vector<config::NewEntry> entries;  // by host, then port; none where nothing is missing
  std::vector<std::string> left_out;      // what no entry stands for, and why; printable ASCII
  std::uint64_t requests = 0;             // those and tunnels that went through
  std::size_t places = 0;                 // hosts with ports among them
  std::size_t places_allowed = 0;         // of these, allowed already
  Moment first{};
  Moment last{};
};

// Takes the events in the order of the log. What went through counts: requests that were allowed,
// and tunnels that were passed on unread. Memory is bounded: at most 20 000 places (host and port),
// 200 000 path segments, 16 methods a place; what is beyond is told as left out, or has shorter
// prefixes.
class Learner {
 public:
  // `today`: what is allowed already and need not be proposed; empty for a proposal that stands for
  // itself. `now` tells which of its entries have expired.
  Learner(std::shared_ptr<const policy::EntryMap> today, Moment now);

  void add(const LogEvent& event);

  // Minimal: per host and port, the methods that were used, each with the prefixes of PathTree. One
  // entry for a parent domain where at least 8 hosts below it occur and one owner has them all. No
  // entry for places with fewer than `min_requests`, and none on a name that strangers share.
  //
  // An entry for a host that an entry on a parent domain allows in part takes that entry's place
  // for the host (the exact host is final), and says so.
  [[nodiscard]] Proposal propose(std::uint64_t min_requests) const;

 private:
  static constexpr std::size_t kMostPlaces = 20'000;
  static constexpr std::size_t kMostSegments = 200'000;
  static constexpr std::size_t kMostMethods = 16;
  static constexpr std::size_t kMostAgents = 4;
  static constexpr std::size_t kMostIdlePlaces = 1'000;
  static constexpr std::size_t kMostRefusedTunnels = 50'000;

  struct Evidence {
    std::map<std::string, PathTree> methods;
    std::uint64_t requests = 0;
    std::uint64_t tunnels = 0;  // spliced
    std::uint64_t missing = 0;  // of both, those that `today` does not allow
    std::uint64_t ambiguous = 0;
    std::uint64_t unwritable = 0;  // what no path rule can say
    std::set<std::string> agents;
    bool has_more_agents = false;
    Moment first = Moment::max();
    Moment last = Moment::min();
    std::string sample;
    std::string private_address;  // that the name resolved to
  };
  using Place = std::pair<const base::Authority, Evidence>;
  struct Rules;
  struct Draft;

  void add_request(const LogEvent& event);
  void add_tunnel(const LogEvent& event);
  Evidence* place_for(const base::Authority& authority);
  void witness(Evidence& evidence, const LogEvent& event);
  // The place's evidence with this event in it; null where the event proves nothing (its names
  // disagree) or there is no place left.
  Evidence* evidence_of(const LogEvent& event, const base::Authority& authority);
  [[nodiscard]] const policy::Entry* governing(const base::Host& host) const;
  [[nodiscard]] std::string objection(const Place& place, std::uint64_t min_requests) const;
  [[nodiscard]] static std::map<std::string, std::string> parents_of(
      const std::set<std::string>& hosts);
  [[nodiscard]] std::map<std::string, std::string> assign(std::set<const Place*>& candidates) const;
  [[nodiscard]] static Rules rules_of(const std::vector<const Place*>& places);
  [[nodiscard]] config::NewEntry entry_for(const Draft& draft) const;
  void draft_entries(const std::vector<const Place*>& candidates, Proposal& proposal) const;

  policy::Snapshot today_;
  Moment now_;
  std::map<base::Authority, Evidence> places_;
  std::size_t segments_left_ = kMostSegments;
  std::map<base::Authority, std::uint64_t> idle_;  // tunnels that carried nothing
  // Tunnels that had a line of refusal before that of their end, and those before them.
  std::unordered_set<std::string> refused_tunnels_;
  std::unordered_set<std::string> older_refused_tunnels_;
  std::uint64_t requests_ = 0;
  std::uint64_t beyond_ = 0;      // past kMostPlaces
  std::uint64_t mismatches_ = 0;  // names disagreed
  std::uint64_t strange_ = 0;     // host or port is none
  Moment first_ = Moment::max();
  Moment last_ = Moment::min();
};

}  // namespace leash::insight
