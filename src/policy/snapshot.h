// The compiled policy: what the files said at one moment. Immutable, shared by all workers.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/authority.h"
#include "base/ip_address.h"
#include "policy/host_set.h"

namespace leash::policy {

enum class Mode { kEnforce, kAudit, kBlocklist };
[[nodiscard]] std::string_view word(Mode mode);  // "enforce", ...
// Case-sensitive, nothing around it; nullopt for every other text.
[[nodiscard]] std::optional<Mode> parse_mode(std::string_view text);

enum class TlsMode { kIntercept, kSplice };

// A mistake never widens: a faulty allow entry allows nothing, a faulty block entry blocks its
// whole host.
enum class Health { kGood, kFaulty };

struct PathRule {
  std::string method;  // upper case; "" for any
  std::string prefix;  // raw, begins with '/'
  bool operator==(const PathRule&) const = default;
};

struct Entry {
  base::Host host;
  std::vector<std::uint16_t> ports;  // empty: all ports (a block entry without ports)
  std::vector<PathRule> paths;       // empty: every method and path
  std::vector<base::Network> networks;
  TlsMode tls = TlsMode::kIntercept;
  Health health = Health::kGood;
  std::string reason;  // the operator's words
  std::chrono::system_clock::time_point expires = std::chrono::system_clock::time_point::max();
  std::string file;  // "enforce.yaml"
  int line = 0;      // 1-based

  [[nodiscard]] bool covers_port(std::uint16_t port) const;
};

// The names under which a host is looked up, best first: the host itself, then its parent domains
// that have at least two labels (none for an IP literal). The views live as long as `host`.
[[nodiscard]] std::vector<std::string_view> lookup_names(const base::Host& host);

// Entries of one file by canonical host; several entries of one host add up.
class EntryMap {
 public:
  void add(Entry entry);
  // The entries of the exact host, else of the nearest parent domain with at least two labels
  // (never for an IP literal): the first host found is final. Entries expired at `now` do not
  // exist. Costs the number of labels.
  [[nodiscard]] std::vector<const Entry*> find(const base::Host& host,
                                               std::chrono::system_clock::time_point now) const;
  // Those of exactly this name that exist at `now`.
  [[nodiscard]] std::vector<const Entry*> at(std::string_view name,
                                             std::chrono::system_clock::time_point now) const;
  [[nodiscard]] std::size_t size() const { return count_; }
  // Looked up by views, without a copy of the name.
  struct Hash : std::hash<std::string_view> {
    // NOLINTNEXTLINE(readability-identifier-naming): the standard library looks for this name
    using is_transparent = void;
  };
  using Entries = std::unordered_map<std::string, std::vector<Entry>, Hash, std::equal_to<>>;
  [[nodiscard]] const Entries& all() const { return entries_; }

 private:
  Entries entries_;
  std::size_t count_ = 0;
};

struct Snapshot {
  std::uint64_t generation = 0;  // grows with each change
  Mode mode = Mode::kEnforce;
  std::shared_ptr<const EntryMap> enforce;    // never null
  std::shared_ptr<const EntryMap> blocklist;  // never null
  // Plain host lists that the blocklist names: each host as a block entry for all ports. No null
  // pointers.
  std::vector<std::shared_ptr<const HostSet>> block_lists;
};

}  // namespace leash::policy
