// Snapshots for tests, built by hand.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "policy/decide.h"
#include "policy/snapshot.h"

namespace leash::policy {

inline base::Host host(std::string_view text) { return base::Host::parse_lenient(text).value(); }

inline constexpr auto kNow = std::chrono::system_clock::time_point(std::chrono::hours(24 * 20'000));

inline Entry entry(std::string_view name, std::vector<std::uint16_t> ports = {},
                   std::vector<PathRule> paths = {}) {
  static int line = 0;
  Entry made;
  made.host = host(name);
  made.ports = std::move(ports);
  made.paths = std::move(paths);
  made.file = "test.yaml";
  made.line = ++line;
  return made;
}

inline std::string rule_of(const Entry& made) {
  return made.file + ":" + std::to_string(made.line) + " " + made.host.text();
}

inline Snapshot snapshot(Mode mode, std::vector<Entry> allow, std::vector<Entry> block = {}) {
  auto enforce = std::make_shared<EntryMap>();
  auto blocklist = std::make_shared<EntryMap>();
  for (auto& item : allow) enforce->add(std::move(item));
  for (auto& item : block) blocklist->add(std::move(item));
  Snapshot made;
  made.mode = mode;
  made.enforce = std::move(enforce);
  made.blocklist = std::move(blocklist);
  return made;
}

inline Decision at_connect(const Snapshot& policy, std::string_view name,
                           std::uint16_t port = 443) {
  const base::Host parsed = host(name);
  return decide(policy, {parsed, port, {}, {}}, kNow);
}

inline Decision at_request(const Snapshot& policy, std::string_view name, std::string_view method,
                           std::string_view path, std::uint16_t port = 443) {
  const base::Host parsed = host(name);
  return decide(policy, {parsed, port, method, path}, kNow);
}

}  // namespace leash::policy
