#include "policy/snapshot.h"

#include <algorithm>

namespace leash::policy {

std::string_view word(Mode mode) {
  switch (mode) {
    case Mode::kEnforce:
      return "enforce";
    case Mode::kAudit:
      return "audit";
    case Mode::kBlocklist:
      return "blocklist";
  }
  return "enforce";
}

std::optional<Mode> parse_mode(std::string_view text) {
  for (const Mode mode : {Mode::kEnforce, Mode::kAudit, Mode::kBlocklist}) {
    if (text == word(mode)) return mode;
  }
  return std::nullopt;
}

bool Entry::covers_port(std::uint16_t port) const {
  return ports.empty() || std::find(ports.begin(), ports.end(), port) != ports.end();
}

std::vector<std::string_view> lookup_names(const base::Host& host) {
  std::string_view name = host.text();
  std::vector<std::string_view> names{name};
  if (host.is_ip()) return names;
  // A parent needs a dot of its own: "com" alone would cover a whole registry.
  for (auto dot = name.find('.'); dot != std::string_view::npos; dot = name.find('.')) {
    name.remove_prefix(dot + 1);
    if (name.find('.') == std::string_view::npos) break;
    names.push_back(name);
  }
  return names;
}

void EntryMap::add(Entry entry) {
  auto& list = entries_[entry.host.text()];
  list.push_back(std::move(entry));
  ++count_;
}

std::vector<const Entry*> EntryMap::at(std::string_view name,
                                       std::chrono::system_clock::time_point now) const {
  std::vector<const Entry*> found;
  const auto it = entries_.find(name);
  if (it == entries_.end()) return found;
  for (const Entry& entry : it->second) {
    if (now < entry.expires) found.push_back(&entry);
  }
  return found;
}

std::vector<const Entry*> EntryMap::find(const base::Host& host,
                                         std::chrono::system_clock::time_point now) const {
  if (entries_.empty()) return {};
  for (const std::string_view name : lookup_names(host)) {
    if (auto found = at(name, now); !found.empty()) return found;
  }
  return {};
}

}  // namespace leash::policy
