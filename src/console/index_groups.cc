// Like requests as one: IndexReader::groups.
#include <algorithm>
#include <unordered_map>

#include "console/index_reader.h"

namespace leash::console {
namespace {

struct Key {
  NameId host = 0;
  NameId client = 0;
  NameId agent = 0;
  NameId method = 0;
  TextId url = 0;
  std::uint16_t port = 0;
  EventKind kind = EventKind::kOther;
  std::uint8_t flags = 0;
  bool operator==(const Key&) const = default;
};

struct KeyHash {
  std::size_t operator()(const Key& key) const {
    std::uint64_t hash = 1'469'598'103'934'665'603U;
    const auto mix = [&hash](std::uint64_t value) {
      hash = (hash ^ value) * 0x9e37'79b9'7f4a'7c15U;
      hash ^= hash >> 29;
    };
    mix(std::uint64_t{key.host} << 32 | key.url);
    mix(std::uint64_t{key.client} << 32 | key.agent);
    mix(std::uint64_t{key.method} << 32 | std::uint64_t{key.port} << 16 |
        std::uint64_t{static_cast<std::uint8_t>(key.kind)} << 8 | key.flags);
    return static_cast<std::size_t>(hash);
  }
};

}  // namespace

base::Result<RequestGroups> IndexReader::groups(const RowFilter& filter, std::size_t most) {
  const Query query(*this);
  const auto condition = compile(filter);
  if (condition->texts) condition->texts->search_all();
  RequestGroups out;
  std::unordered_map<Key, std::size_t, KeyHash> known;
  const auto take = [&](const HotColumns& hot, std::size_t i, const ColdRow& cold) {
    const Key key{hot.host(i), hot.client(i), hot.agent(i), cold.method,
                  hot.url(i),  cold.port,     hot.kind(i),  hot.flags(i)};
    const auto [place, is_new] = known.emplace(key, out.groups.size());
    if (is_new) out.groups.push_back({make_row(hot, i, cold), 0});
    ++out.groups[place->second].count;
    ++out.rows;
  };
  for (const Block& block : blocks(filter, std::nullopt, Order::kNewestFirst)) {
    if (database_->error() || database_->is_past_deadline()) break;
    if (out.groups.size() >= most) {
      out.complete_from_us = block.last_us;
      break;
    }
    const HotColumns hot(load(hot_, block.id));
    const std::vector<ColdRow> cold = read_cold(load(cold_, block.id));
    for (std::size_t i = std::min(hot.size(), cold.size()); i > 0; --i) {
      if (hot.seq(i - 1) <= floor_) break;
      if (takes(*condition, hot, i - 1)) take(hot, i - 1, cold[i - 1]);
    }
  }
  return ended(std::move(out));
}

}  // namespace leash::console
