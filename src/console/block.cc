#include "console/block.h"

#include <algorithm>
#include <map>
#include <utility>

#include "console/varint.h"

namespace leash::console {
namespace {

constexpr std::size_t kHotRowBytes = 8 + 8 + 5 * 4 + 2 + 1 + 1;
constexpr std::size_t kVolumeBytes = 16;

template <class T>
void append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class T, class Member>
void append_column(std::string& out, const std::vector<HotRow>& rows, Member member) {
  for (const HotRow& row : rows) append<T>(out, static_cast<T>(row.*member));
}

// Which optional parts of a cold row follow.
enum Part : std::uint32_t {
  kSameFile = 1,
  kPort = 2,
  kMethod = 4,
  kRule = 8,
  kAddr = 16,
  kModes = 32,
  kOtherEvent = 64,
  kBytes = 128,
  kBytesUp = 256,
  kBytesDown = 512,
  kRequests = 1024,
  kMs = 2048,
};

std::size_t common_prefix(std::string_view a, std::string_view b) {
  const std::size_t most = std::min(a.size(), b.size());
  return static_cast<std::size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(most), b.begin()).first -
      a.begin());
}

std::uint32_t parts_of(const ColdRow& row, const ColdRow& before) {
  std::uint32_t parts = 0;
  // Positions in one file grow from row to row.
  if (row.file == before.file && row.position >= before.position) parts |= kSameFile;
  if (row.port != before.port) parts |= kPort;
  if (row.method != 0) parts |= kMethod;
  if (row.rule != 0) parts |= kRule;
  if (row.addr != 0) parts |= kAddr;
  if (row.from != 0 || row.to != 0) parts |= kModes;
  if (row.other_event != 0) parts |= kOtherEvent;
  if (row.bytes) parts |= kBytes;
  if (row.bytes_up) parts |= kBytesUp;
  if (row.bytes_down) parts |= kBytesDown;
  if (row.requests) parts |= kRequests;
  if (row.ms_hundredths) parts |= kMs;
  return parts;
}

void write_cold(std::string& out, const ColdRow& row, const ColdRow& before) {
  const std::uint32_t parts = parts_of(row, before);
  put_varint(out, parts);
  if ((parts & kSameFile) != 0) {
    put_varint(out, row.position - before.position);
  } else {
    put_varint(out, row.file);
    put_varint(out, row.position);
  }
  const std::size_t shared = common_prefix(row.id, before.id);
  put_varint(out, shared);
  put_varint(out, row.id.size() - shared);
  out.append(row.id, shared);
  if ((parts & kPort) != 0) put_varint(out, row.port);
  if ((parts & kMethod) != 0) put_varint(out, row.method);
  if ((parts & kRule) != 0) put_varint(out, row.rule);
  if ((parts & kAddr) != 0) put_varint(out, row.addr);
  if ((parts & kModes) != 0) {
    put_varint(out, row.from);
    put_varint(out, row.to);
  }
  if ((parts & kOtherEvent) != 0) put_varint(out, row.other_event);
  if ((parts & kBytes) != 0) put_varint(out, *row.bytes);
  if ((parts & kBytesUp) != 0) put_varint(out, *row.bytes_up);
  if ((parts & kBytesDown) != 0) put_varint(out, *row.bytes_down);
  if ((parts & kRequests) != 0) put_varint(out, *row.requests);
  if ((parts & kMs) != 0) put_varint(out, *row.ms_hundredths);
}

ColdRow read_cold_row(VarintReader& in, const ColdRow& before) {
  ColdRow row;
  const std::uint64_t parts = in.next();
  const auto has = [parts](Part part) { return (parts & part) != 0; };
  if (has(kSameFile)) {
    row.file = before.file;
    row.position = before.position + in.next();
  } else {
    row.file = static_cast<std::uint32_t>(in.next());
    row.position = in.next();
  }
  const std::uint64_t shared = in.next();
  row.id = before.id.substr(0, static_cast<std::size_t>(shared));
  row.id += in.bytes(in.next());
  row.port = has(kPort) ? static_cast<std::uint16_t>(in.next()) : before.port;
  const auto name = [&in] { return static_cast<NameId>(in.next()); };
  if (has(kMethod)) row.method = name();
  if (has(kRule)) row.rule = name();
  if (has(kAddr)) row.addr = name();
  if (has(kModes)) {
    row.from = name();
    row.to = name();
  }
  if (has(kOtherEvent)) row.other_event = name();
  if (has(kBytes)) row.bytes = in.next();
  if (has(kBytesUp)) row.bytes_up = in.next();
  if (has(kBytesDown)) row.bytes_down = in.next();
  if (has(kRequests)) row.requests = in.next();
  if (has(kMs)) row.ms_hundredths = in.next();
  return row;
}

bool is_outcome(EventKind kind) {
  return kind == EventKind::kAllowed || kind == EventKind::kBlocked || kind == EventKind::kError;
}

void write_parties(std::string& out, const std::map<std::pair<NameId, NameId>, PartySum>& parties) {
  put_varint(out, parties.size());
  for (const auto& [key, sum] : parties) {
    put_varint(out, key.first);
    put_varint(out, key.second);
    put_varint(out, sum.count);
    put_varint(out, sum.blocked);
    put_varint(out, sum.bytes);
  }
}

std::vector<PartySum> read_parties(VarintReader& in) {
  std::vector<PartySum> out;
  const std::uint64_t count = std::min<std::uint64_t>(in.next(), kBlockRows);
  for (std::uint64_t i = 0; i < count && in.is_good(); ++i) {
    PartySum sum;
    sum.name = static_cast<NameId>(in.next());
    sum.client = static_cast<NameId>(in.next());
    sum.count = static_cast<std::uint32_t>(in.next());
    sum.blocked = static_cast<std::uint32_t>(in.next());
    sum.bytes = in.next();
    out.push_back(sum);
  }
  return out;
}

}  // namespace

// --- building ----------------------------------------------------------------------------------

void BlockBuilder::add(const HotRow& hot, ColdRow cold, std::uint64_t up, std::uint64_t down) {
  first_us_ = hot_.empty() ? hot.time_us : std::min(first_us_, hot.time_us);
  last_us_ = hot_.empty() ? hot.time_us : std::max(last_us_, hot.time_us);
  events_ |= mask_of(hot.kind);
  hot_.push_back(hot);
  cold_.push_back(std::move(cold));
  up_.push_back(up);
  down_.push_back(down);
}

void BlockBuilder::clear() {
  hot_.clear();
  cold_.clear();
  up_.clear();
  down_.clear();
  events_ = 0;
}

std::string BlockBuilder::hot_bytes() const {
  std::string out;
  out.reserve(hot_.size() * kHotRowBytes);
  append_column<std::uint64_t>(out, hot_, &HotRow::seq);
  append_column<std::int64_t>(out, hot_, &HotRow::time_us);
  append_column<NameId>(out, hot_, &HotRow::host);
  append_column<NameId>(out, hot_, &HotRow::client);
  append_column<NameId>(out, hot_, &HotRow::agent);
  append_column<TextId>(out, hot_, &HotRow::url);
  append_column<TextId>(out, hot_, &HotRow::reason);
  append_column<std::uint16_t>(out, hot_, &HotRow::status);
  append_column<std::uint8_t>(out, hot_, &HotRow::kind);
  append_column<std::uint8_t>(out, hot_, &HotRow::flags);
  return out;
}

std::string BlockBuilder::volume_bytes() const {
  std::string out;
  out.reserve(up_.size() * kVolumeBytes);
  for (std::size_t i = 0; i < up_.size(); ++i) {
    append(out, up_[i]);
    append(out, down_[i]);
  }
  return out;
}

std::string BlockBuilder::cold_bytes() const {
  std::string out;
  put_varint(out, cold_.size());
  ColdRow none;
  const ColdRow* before = &none;
  for (const ColdRow& row : cold_) {
    write_cold(out, row, *before);
    before = &row;
  }
  return out;
}

std::string BlockBuilder::id_bytes() const {
  std::string out;
  out.reserve(cold_.size() * 4);
  for (const ColdRow& row : cold_) append(out, row.id.empty() ? 0U : id_hash(row.id));
  return out;
}

std::string BlockBuilder::summary_bytes() const {
  BlockSummary sum;
  std::map<std::pair<NameId, NameId>, PartySum> hosts;
  std::map<std::pair<NameId, NameId>, PartySum> agents;
  for (std::size_t i = 0; i < hot_.size(); ++i) {
    const HotRow& row = hot_[i];
    sum.bytes_up += up_[i];
    sum.bytes_down += down_[i];
    const bool is_blocked = row.kind == EventKind::kBlocked;
    if (is_blocked) ++sum.blocked;
    if (row.kind == EventKind::kError) ++sum.error;
    if (row.kind == EventKind::kAllowed) {
      ++((row.flags & kWouldBlock) != 0 ? sum.would_block : sum.allowed);
    }
    const std::uint64_t bytes = up_[i] + down_[i];
    if (!is_outcome(row.kind) && bytes == 0) continue;
    for (PartySum* party : {&hosts[{row.host, 0}], &agents[{row.agent, row.client}]}) {
      party->count += is_outcome(row.kind) ? 1 : 0;
      party->blocked += is_blocked ? 1 : 0;
      party->bytes += bytes;
    }
  }
  std::string out;
  for (const std::uint64_t number :
       {std::uint64_t{sum.allowed}, std::uint64_t{sum.would_block}, std::uint64_t{sum.blocked},
        std::uint64_t{sum.error}, sum.bytes_up, sum.bytes_down}) {
    put_varint(out, number);
  }
  write_parties(out, hosts);
  write_parties(out, agents);
  return out;
}

// --- reading -----------------------------------------------------------------------------------

HotColumns::HotColumns(std::string_view bytes) {
  if (bytes.size() % kHotRowBytes != 0) return;
  size_ = bytes.size() / kHotRowBytes;
  const char* at_column = bytes.data();
  const auto take = [&](std::size_t width) {
    const char* column = at_column;
    at_column += width * size_;
    return column;
  };
  seq_ = take(8);
  time_ = take(8);
  host_ = take(4);
  client_ = take(4);
  agent_ = take(4);
  url_ = take(4);
  reason_ = take(4);
  status_ = take(2);
  kind_ = take(1);
  flags_ = take(1);
}

Volumes::Volumes(std::string_view bytes) : bytes_(bytes) {}

std::uint64_t Volumes::up(std::size_t i) const {
  std::uint64_t value = 0;
  if ((i + 1) * kVolumeBytes <= bytes_.size()) {
    std::memcpy(&value, bytes_.data() + i * kVolumeBytes, sizeof value);
  }
  return value;
}

std::uint64_t Volumes::down(std::size_t i) const {
  std::uint64_t value = 0;
  if ((i + 1) * kVolumeBytes <= bytes_.size()) {
    std::memcpy(&value, bytes_.data() + i * kVolumeBytes + 8, sizeof value);
  }
  return value;
}

// FNV-1a: it chooses candidates, the id itself decides.
std::uint32_t id_hash(std::string_view id) {
  std::uint32_t hash = 2'166'136'261U;
  for (const char c : id) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 16'777'619U;
  }
  return hash == 0 ? 1 : hash;
}

std::vector<ColdRow> read_cold(std::string_view bytes) {
  VarintReader in(bytes);
  const std::uint64_t count = in.next();
  std::vector<ColdRow> out;
  if (count > kBlockRows) return out;
  out.reserve(static_cast<std::size_t>(count));
  ColdRow none;
  for (std::uint64_t i = 0; i < count; ++i) {
    out.push_back(read_cold_row(in, out.empty() ? none : out.back()));
  }
  if (!in.is_good()) out.clear();
  return out;
}

BlockSummary read_summary(std::string_view bytes) {
  VarintReader in(bytes);
  BlockSummary out;
  out.allowed = static_cast<std::uint32_t>(in.next());
  out.would_block = static_cast<std::uint32_t>(in.next());
  out.blocked = static_cast<std::uint32_t>(in.next());
  out.error = static_cast<std::uint32_t>(in.next());
  out.bytes_up = in.next();
  out.bytes_down = in.next();
  out.hosts = read_parties(in);
  out.agents = read_parties(in);
  return out;
}

}  // namespace leash::console
