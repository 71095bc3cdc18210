#include "console/sessions.h"

#include <algorithm>

#include "base/text.h"
#include "tls/digest.h"

namespace leash::console {
namespace {

constexpr std::size_t kIdBytes = 24;

std::string random_hex() {
  std::string out;
  base::append_hex(out, tls::random_bytes(kIdBytes));
  return out;
}

std::string key_of(std::string_view id) { return tls::hex(tls::sha256(id)); }

}  // namespace

Sessions::Opened Sessions::open(Role role, Time now) {
  std::erase_if(entries_, [now](const auto& each) { return now - each.second.seen >= kIdle; });
  if (entries_.size() >= kMost) {
    entries_.erase(std::min_element(
        entries_.begin(), entries_.end(),
        [](const auto& a, const auto& b) { return a.second.seen < b.second.seen; }));
  }
  Opened opened{random_hex(), {role, random_hex()}};
  entries_[key_of(opened.id)] = {opened.session, now};
  return opened;
}

std::optional<Session> Sessions::find(std::string_view id, Time now) {
  const auto found = entries_.find(key_of(id));
  if (found == entries_.end()) return std::nullopt;
  if (now - found->second.seen >= kIdle) {
    entries_.erase(found);
    return std::nullopt;
  }
  found->second.seen = now;
  return found->second.session;
}

void Sessions::close(std::string_view id) { entries_.erase(key_of(id)); }

}  // namespace leash::console
