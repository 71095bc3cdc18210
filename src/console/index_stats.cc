// Sums over rows: IndexReader::stats.
#include <algorithm>
#include <array>

#include "console/index_reader.h"

namespace leash::console {
namespace {

constexpr std::int64_t kMicros = 1'000'000;

bool is_outcome(EventKind kind) {
  return kind == EventKind::kAllowed || kind == EventKind::kBlocked || kind == EventKind::kError;
}

void count(Stats::Bucket& bucket, EventKind kind, std::uint8_t flags) {
  if (kind == EventKind::kAllowed) {
    ++((flags & kWouldBlock) != 0 ? bucket.would_block : bucket.allowed);
  } else if (kind == EventKind::kBlocked) {
    ++bucket.blocked;
  } else if (kind == EventKind::kError) {
    ++bucket.error;
  }
}

void add(Stats::Bucket& to, const Stats::Bucket& what) {
  to.allowed += what.allowed;
  to.would_block += what.would_block;
  to.blocked += what.blocked;
  to.error += what.error;
}

struct Party {
  std::uint64_t count = 0;
  std::uint64_t blocked = 0;
  std::uint64_t bytes = 0;
};

std::uint64_t key_of(NameId name, NameId client) { return std::uint64_t{name} << 32 | client; }

}  // namespace

struct IndexReader::Sums {
  std::int64_t from_us = 0;
  std::int64_t to_us = 0;
  std::int64_t bucket_us = kMicros;
  std::vector<Stats::Bucket> series;
  Stats::Bucket totals;
  std::uint64_t bytes_up = 0;
  std::uint64_t bytes_down = 0;
  std::vector<Party> hosts;  // by NameId
  std::unordered_map<std::uint64_t, Party> agents;
  // Of the map above; to hash each row's agent costs more than all the rest of a row.
  struct Recent {
    std::uint64_t key = 0;
    Party* party = nullptr;
  };
  std::array<Recent, 512> recent_agents;

  Party& host(NameId id) {
    if (id >= hosts.size()) hosts.resize(std::size_t{id} + 1 + id / 2);
    return hosts[id];
  }
  Party& agent(NameId name, NameId client) {
    const std::uint64_t key = key_of(name, client);
    Recent& recent = recent_agents[(name * 31 + client) % recent_agents.size()];
    if (recent.party == nullptr || recent.key != key) recent = {key, &agents[key]};
    return *recent.party;
  }
  // Null for a time that is not asked for.
  Stats::Bucket* bucket(std::int64_t time_us) {
    if (time_us < from_us || time_us >= to_us) return nullptr;
    return &series[static_cast<std::size_t>((time_us - from_us) / bucket_us)];
  }
};

void IndexReader::sum_summary(const Block& block, Sums& sums) {
  const BlockSummary summary = read_summary(load(summary_, block.id));
  const Stats::Bucket counts{summary.allowed, summary.would_block, summary.blocked, summary.error};
  add(sums.totals, counts);
  sums.bytes_up += summary.bytes_up;
  sums.bytes_down += summary.bytes_down;
  const auto take = [](Party& party, const PartySum& sum) {
    party.count += sum.count;
    party.blocked += sum.blocked;
    party.bytes += sum.bytes;
  };
  for (const PartySum& sum : summary.hosts) take(sums.host(sum.name), sum);
  for (const PartySum& sum : summary.agents) take(sums.agent(sum.name, sum.client), sum);

  Stats::Bucket* first = sums.bucket(block.first_us);
  if (first != nullptr && first == sums.bucket(block.last_us)) {
    add(*first, counts);
    return;
  }
  const HotColumns hot(load(hot_, block.id));
  for (std::size_t i = 0; i < hot.size(); ++i) {
    if (!is_outcome(hot.kind(i))) continue;
    if (Stats::Bucket* bucket = sums.bucket(hot.time_us(i)); bucket != nullptr) {
      count(*bucket, hot.kind(i), hot.flags(i));
    }
  }
}

void IndexReader::sum_rows(const Block& block, Condition& condition, Sums& sums) {
  const HotColumns hot(load(hot_, block.id));
  std::optional<Volumes> volumes;  // of many a block no row is taken
  for (std::size_t i = 0; i < hot.size(); ++i) {
    if (hot.seq(i) <= floor_ || !takes(condition, hot, i)) continue;
    Stats::Bucket* bucket = sums.bucket(hot.time_us(i));
    if (bucket == nullptr) continue;
    if (!volumes) volumes.emplace(load(volume_, block.id));
    const EventKind kind = hot.kind(i);
    const std::uint64_t bytes = volumes->up(i) + volumes->down(i);
    count(*bucket, kind, hot.flags(i));
    count(sums.totals, kind, hot.flags(i));
    sums.bytes_up += volumes->up(i);
    sums.bytes_down += volumes->down(i);
    if (!is_outcome(kind) && bytes == 0) continue;
    for (Party* party : {&sums.host(hot.host(i)), &sums.agent(hot.agent(i), hot.client(i))}) {
      party->count += is_outcome(kind) ? 1 : 0;
      party->blocked += kind == EventKind::kBlocked ? 1 : 0;
      party->bytes += bytes;
    }
  }
}

void IndexReader::finish(Sums& sums, Stats& out) {
  out.series = std::move(sums.series);
  out.totals = sums.totals;
  out.bytes_up = sums.bytes_up;
  out.bytes_down = sums.bytes_down;
  const auto busiest = [](auto& parties) {
    const std::size_t shown = std::min(parties.size(), kMostParties);
    std::partial_sort(parties.begin(), parties.begin() + static_cast<std::ptrdiff_t>(shown),
                      parties.end(), [](const auto& a, const auto& b) {
                        return a.second.count != b.second.count ? a.second.count > b.second.count
                                                                : a.second.bytes > b.second.bytes;
                      });
    parties.resize(shown);
  };
  std::vector<std::pair<std::uint64_t, Party>> hosts;
  for (std::size_t id = 1; id < sums.hosts.size(); ++id) {
    const Party& party = sums.hosts[id];
    if (party.count > 0 || party.bytes > 0) hosts.emplace_back(id, party);
  }
  std::vector<std::pair<std::uint64_t, Party>> agents(sums.agents.begin(), sums.agents.end());
  busiest(hosts);
  busiest(agents);
  for (const auto& [id, party] : hosts) {
    out.hosts.push_back(
        {name(static_cast<NameId>(id)), {}, party.count, party.blocked, party.bytes});
  }
  for (const auto& [key, party] : agents) {
    out.agents.push_back({name(static_cast<NameId>(key >> 32)),
                          name(static_cast<NameId>(key & 0xffff'ffff)), party.count, party.blocked,
                          party.bytes});
  }
}

Stats IndexReader::sum_up(const RowFilter& filter, std::size_t buckets) {
  Stats out;
  const std::vector<Block> all = blocks(filter, std::nullopt, Order::kOldestFirst);
  std::int64_t first = INT64_MAX;
  std::int64_t last = 0;
  for (const Block& block : all) {
    if (block.first_us > 0) first = std::min(first, block.first_us);
    last = std::max(last, block.last_us);
  }
  Sums sums;
  if (first == INT64_MAX) first = last;
  const std::int64_t from = filter.after_us.value_or(first) / kMicros;
  const std::int64_t to =
      std::max(filter.before_us ? (*filter.before_us + kMicros - 1) / kMicros : last / kMicros + 1,
               from + 1);
  const auto wanted = static_cast<std::int64_t>(buckets);
  out.bucket_seconds = std::max<std::int64_t>(1, (to - from + wanted - 1) / wanted);
  out.from = from;
  out.to = to;
  sums.from_us = from * kMicros;
  sums.to_us = to * kMicros;
  sums.bucket_us = out.bucket_seconds * kMicros;
  sums.series.resize(
      static_cast<std::size_t>((to - from + out.bucket_seconds - 1) / out.bucket_seconds));

  const auto condition = compile(filter);
  if (condition->texts) condition->texts->search_all();
  for (const Block& block : all) {
    if (database_->error() || database_->is_past_deadline()) return out;
    const bool is_whole = filter.is_plain() && block.first_seq > floor_ &&
                          block.first_us >= sums.from_us && block.last_us < sums.to_us &&
                          filter.takes_time(block.first_us) && filter.takes_time(block.last_us);
    if (is_whole) {
      sum_summary(block, sums);
    } else {
      sum_rows(block, *condition, sums);
    }
  }
  finish(sums, out);
  return out;
}

base::Result<Stats> IndexReader::stats(const RowFilter& filter, std::size_t buckets) {
  const Query query(*this);
  return ended(sum_up(filter, buckets));
}

}  // namespace leash::console
