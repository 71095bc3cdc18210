#include "console/index_reader.h"

#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "console/checked_bytes.h"
#include "console/search_text.h"

namespace leash::console {
namespace {

constexpr std::size_t kMostNames = 20'000;  // remembered by a reader
constexpr const char* kReaderPragmas = "PRAGMA query_only = ON; PRAGMA cache_size = -8192;";

}  // namespace

IndexReader::IndexReader(std::unique_ptr<Database> database, SearchCache& cache,
                         std::uint64_t generation)
    : database_(std::move(database)),
      cache_(cache),
      generation_(generation),
      hot_(database_->prepare("SELECT bytes FROM block_hot WHERE id = ?")),
      cold_(database_->prepare("SELECT bytes FROM block_cold WHERE id = ?")),
      volume_(database_->prepare("SELECT bytes FROM block_volume WHERE id = ?")),
      summary_(database_->prepare("SELECT bytes FROM block_summary WHERE id = ?")),
      name_(database_->prepare("SELECT value FROM name WHERE id = ?")),
      text_(database_->prepare("SELECT value FROM text WHERE id = ?")) {}

IndexReader::~IndexReader() = default;

base::Result<std::unique_ptr<IndexReader>> IndexReader::open(const std::string& path,
                                                             SearchCache& cache,
                                                             std::uint64_t generation) {
  auto database = Database::open(path, Database::Mode::kRead);
  if (!database) return tl::unexpected(database.error());
  (*database)->execute(kReaderPragmas);
  std::unique_ptr<IndexReader> reader(new IndexReader(std::move(*database), cache, generation));
  const auto& error = reader->database_->error();
  if (error && !reader->is_damaged()) return tl::unexpected(*error);
  return reader;
}

IndexReader::Query::Query(IndexReader& reader) : reader_(reader) {
  Database& database = *reader_.database_;
  database.clear_error();
  database.set_deadline(std::chrono::steady_clock::now() + kQueryTime);
  database.execute("BEGIN");
}

IndexReader::Query::~Query() {
  // A statement that is still at a row keeps the transaction, and what it sees, as it was.
  for (Statement* each : {&reader_.hot_, &reader_.cold_, &reader_.volume_, &reader_.summary_,
                          &reader_.name_, &reader_.text_}) {
    each->reset();
  }
  Database& database = *reader_.database_;
  database.set_deadline(std::nullopt);
  database.clear_error();
  database.execute("COMMIT");
  database.clear_error();
}

// --- conditions --------------------------------------------------------------------------------

std::unique_ptr<IndexReader::Condition> IndexReader::compile(const RowFilter& filter) {
  auto out = std::make_unique<Condition>(Condition{.filter = filter});
  out->by_host = !filter.hosts.empty() || !filter.excluded_hosts.empty();
  out->by_client = !filter.client.empty() || filter.client_network.has_value();
  out->by_agent = !filter.agent.empty();
  if (!filter.text.empty()) {
    out->texts = std::make_unique<TextMatcher>(*database_, cache_, generation_, filter.text);
  }
  if (out->by_host || out->by_client || out->by_agent || out->texts) compile_names(filter, *out);
  return out;
}

void IndexReader::compile_names(const RowFilter& filter, Condition& condition) {
  // A row without a host passes what only leaves hosts out.
  if (condition.by_host && filter.hosts.empty()) condition.hosts.add(0);
  Statement all = database_->prepare("SELECT id, value FROM name");
  while (all.step()) {
    const auto id = static_cast<NameId>(all.integer(0));
    const std::string_view value = all.bytes(1);
    if (condition.by_host && filter.takes_host(value)) condition.hosts.add(id);
    if (condition.by_client && filter.takes_client(value)) condition.clients.add(id);
    if (condition.by_agent && value == filter.agent) condition.agents.add(id);
    if (condition.texts && search_form(value).find(filter.text) != std::string::npos) {
      condition.found_names.add(id);
    }
  }
}

bool IndexReader::takes(Condition& condition, const HotColumns& hot, std::size_t i) {
  const RowFilter& filter = condition.filter;
  const EventKind kind = hot.kind(i);
  if (static_cast<std::size_t>(kind) >= kEventKinds) return false;
  if ((filter.events & mask_of(kind)) == 0 || !filter.takes_time(hot.time_us(i))) return false;
  const std::uint8_t flags = hot.flags(i);
  if (filter.only_would_block && (flags & kWouldBlock) == 0) return false;
  if (filter.only_internet && (flags & kLocalPlace) != 0) return false;
  if (!filter.takes_status(hot.status(i), (flags & kHasStatus) != 0)) return false;
  if (condition.by_host && !condition.hosts.has(hot.host(i))) return false;
  if (condition.by_client && !condition.clients.has(hot.client(i))) return false;
  if (condition.by_agent && !condition.agents.has(hot.agent(i))) return false;
  if (!condition.texts) return true;
  const IdSet& names = condition.found_names;
  return names.has(hot.host(i)) || names.has(hot.client(i)) || names.has(hot.agent(i)) ||
         condition.texts->matches(hot.url(i)) || condition.texts->matches(hot.reason(i));
}

std::vector<IndexReader::Block> IndexReader::blocks(const RowFilter& filter,
                                                    std::optional<std::uint64_t> before_seq,
                                                    Order order) {
  constexpr const char* kNewest =
      "SELECT id, first_seq, last_seq, first_us, last_us FROM block WHERE first_seq < ? AND "
      "last_seq > ? AND last_us >= ? AND first_us < ? AND (events & ?) != 0 ORDER BY id DESC";
  constexpr const char* kOldest =
      "SELECT id, first_seq, last_seq, first_us, last_us FROM block WHERE first_seq < ? AND "
      "last_seq > ? AND last_us >= ? AND first_us < ? AND (events & ?) != 0 ORDER BY id";
  Statement all = database_->prepare(order == Order::kNewestFirst ? kNewest : kOldest);
  all.bind(1, static_cast<std::int64_t>(before_seq.value_or(static_cast<std::uint64_t>(INT64_MAX))))
      .bind(2, static_cast<std::int64_t>(floor_))
      .bind(3, filter.after_us.value_or(INT64_MIN))
      .bind(4, filter.before_us.value_or(INT64_MAX))
      .bind(5, filter.events);
  std::vector<Block> out;
  while (all.step()) {
    out.push_back({all.integer(0), static_cast<std::uint64_t>(all.integer(1)),
                   static_cast<std::uint64_t>(all.integer(2)), all.integer(3), all.integer(4)});
  }
  return out;
}

// The bytes live until the statement is used again.
std::string_view IndexReader::load(Statement& statement, std::int64_t block) {
  statement.reset();
  statement.bind(1, block);
  const auto bytes = statement.step() ? checked(statement.bytes(0)) : std::nullopt;
  if (!bytes) database_->note_damage("a block is not as it was written");
  return bytes.value_or(std::string_view());
}

// --- rows --------------------------------------------------------------------------------------

const std::string& IndexReader::name(NameId id) {
  static const std::string none;
  if (id == 0) return none;
  if (const auto known = names_.find(id); known != names_.end()) return known->second;
  if (names_.size() >= kMostNames) names_.clear();
  name_.bind(1, id);
  std::string value(name_.step() ? name_.bytes(0) : std::string_view());
  name_.reset();
  return names_.emplace(id, std::move(value)).first->second;
}

std::string IndexReader::text(TextId id) {
  if (id == 0) return {};
  text_.bind(1, id);
  std::string value(text_.step() ? text_.bytes(0) : std::string_view());
  text_.reset();
  return value;
}

Row IndexReader::make_row(const HotColumns& hot, std::size_t i, const ColdRow& cold) {
  Row row;
  row.seq = hot.seq(i);
  row.time_us = hot.time_us(i);
  row.kind = hot.kind(i);
  row.flags = hot.flags(i);
  row.status = hot.status(i);
  row.port = cold.port;
  row.event = name(cold.other_event);
  row.id = cold.id;
  row.client = name(hot.client(i));
  row.agent = name(hot.agent(i));
  row.host = name(hot.host(i));
  row.method = name(cold.method);
  row.url = text(hot.url(i));
  row.reason = text(hot.reason(i));
  row.rule = name(cold.rule);
  row.addr = name(cold.addr);
  row.from = name(cold.from);
  row.to = name(cold.to);
  row.bytes = cold.bytes;
  row.bytes_up = cold.bytes_up;
  row.bytes_down = cold.bytes_down;
  row.requests = cold.requests;
  if (cold.ms_hundredths) row.ms = static_cast<double>(*cold.ms_hundredths) / 100;
  return row;
}

std::string IndexReader::path_of(std::uint32_t file) {
  Statement path = database_->prepare("SELECT path FROM file WHERE id = ?");
  path.bind(1, file);
  return std::string(path.step() ? path.bytes(0) : std::string_view());
}

// The newest first, until there are `limit`.
void IndexReader::collect(const RowFilter& filter, std::optional<std::uint64_t> before_seq,
                          std::uint64_t after_seq, std::size_t limit, std::vector<Row>& out) {
  const auto condition = compile(filter);
  const std::uint64_t least = std::max(floor_, after_seq);
  for (const Block& block : blocks(filter, before_seq, Order::kNewestFirst)) {
    if (out.size() >= limit || block.last_seq <= least) return;
    if (database_->error() || database_->is_past_deadline()) return;
    const HotColumns hot(load(hot_, block.id));
    std::vector<std::size_t> chosen;
    for (std::size_t i = hot.size(); i > 0 && out.size() + chosen.size() < limit; --i) {
      const std::uint64_t seq = hot.seq(i - 1);
      if (seq <= least) break;
      if (before_seq && seq >= *before_seq) continue;
      if (takes(*condition, hot, i - 1)) chosen.push_back(i - 1);
    }
    if (chosen.empty()) continue;
    const std::vector<ColdRow> cold = read_cold(load(cold_, block.id));
    for (const std::size_t i : chosen) {
      if (i < cold.size()) out.push_back(make_row(hot, i, cold[i]));
    }
  }
}

base::Result<std::vector<LinePlace>> IndexReader::places(const RowFilter& filter,
                                                         std::uint64_t after_seq,
                                                         std::size_t limit) {
  const Query query(*this);
  std::vector<LinePlace> out;
  const auto condition = compile(filter);
  if (condition->texts) condition->texts->search_all();
  const std::uint64_t least = std::max(floor_, after_seq);
  for (const Block& block : blocks(filter, std::nullopt, Order::kOldestFirst)) {
    if (out.size() >= limit || database_->error() || database_->is_past_deadline()) break;
    if (block.last_seq <= least) continue;
    const HotColumns hot(load(hot_, block.id));
    const std::vector<ColdRow> cold = read_cold(load(cold_, block.id));
    for (std::size_t i = 0; i < std::min(hot.size(), cold.size()) && out.size() < limit; ++i) {
      if (hot.seq(i) <= least || !takes(*condition, hot, i)) continue;
      out.push_back({make_row(hot, i, cold[i]), path_of(cold[i].file), cold[i].position});
    }
  }
  return ended(std::move(out));
}

base::Result<RowPage> IndexReader::page(const RowFilter& filter,
                                        std::optional<std::uint64_t> before_seq,
                                        std::size_t limit) {
  const Query query(*this);
  RowPage out;
  collect(filter, before_seq, 0, limit + 1, out.rows);
  if (out.rows.size() > limit) {
    out.rows.resize(limit);
    if (!out.rows.empty()) out.next = out.rows.back().seq;
  }
  return ended(std::move(out));
}

base::Result<RowPage> IndexReader::since(const RowFilter& filter, std::uint64_t seq,
                                         std::size_t limit) {
  const Query query(*this);
  RowPage out;
  collect(filter, std::nullopt, seq, limit + 1, out.rows);
  if (out.rows.size() > limit) {
    out.rows.resize(limit);
    if (!out.rows.empty()) out.next = out.rows.back().seq;
  }
  std::reverse(out.rows.begin(), out.rows.end());
  return ended(std::move(out));
}

base::Result<std::vector<LinePlace>> IndexReader::lines_of(const std::string& id,
                                                           std::size_t most) {
  const Query query(*this);
  const std::uint32_t wanted = id_hash(id);
  std::vector<std::int64_t> candidates;
  Statement all = database_->prepare("SELECT id, bytes FROM block_ids ORDER BY id");
  while (all.step()) {
    const auto bytes = checked(all.bytes(1));
    if (!bytes) {
      database_->note_damage("ids are not as they were written");
      break;
    }
    const std::string_view hashes = *bytes;
    for (std::size_t at = 0; at + 4 <= hashes.size(); at += 4) {
      std::uint32_t hash = 0;
      std::memcpy(&hash, hashes.data() + at, sizeof hash);
      if (hash != wanted) continue;
      candidates.push_back(all.integer(0));
      break;
    }
  }
  all.reset();
  std::vector<LinePlace> out;
  for (const std::int64_t block : candidates) {
    const std::vector<ColdRow> cold = read_cold(load(cold_, block));
    const HotColumns hot(load(hot_, block));
    for (std::size_t i = 0; i < std::min(cold.size(), hot.size()); ++i) {
      if (cold[i].id != id || out.size() >= most) continue;
      out.push_back({make_row(hot, i, cold[i]), path_of(cold[i].file), cold[i].position});
    }
  }
  return ended(std::move(out));
}

// --- the pool ----------------------------------------------------------------------------------

ReaderPool::ReaderPool(std::string path, Source source)
    : path_(std::move(path)), source_(std::move(source)) {}

base::Error ReaderPool::is_being_made() {
  return {base::Code::kIo, base::Fault::kProxy, std::string(kBeingMade)};
}

base::Result<ReaderPool::Lease> ReaderPool::lease() {
  const std::uint64_t generation = source_.generation();
  if (generation == 0) return tl::unexpected(is_being_made());
  std::unique_ptr<IndexReader> reader;
  {
    const std::scoped_lock lock(mutex_);
    std::erase_if(idle_, [&](const auto& each) { return each->generation() != generation; });
    if (!idle_.empty()) {
      reader = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (!reader) {
    auto opened = IndexReader::open(path_, cache_, generation);
    // Somebody has deleted it, which is a way to have it made anew.
    if (!opened && ::access(path_.c_str(), F_OK) != 0) {
      source_.replace(generation, "its file has been deleted");
      const std::uint64_t next = source_.generation();
      if (next == generation) return tl::unexpected(is_being_made());
      opened = IndexReader::open(path_, cache_, next);
    }
    if (!opened) return tl::unexpected(opened.error());
    reader = std::move(*opened);
  }
  reader->set_floor(floor_);
  return Lease(*this, std::move(reader));
}

void ReaderPool::give_back(std::unique_ptr<IndexReader> reader) {
  const std::scoped_lock lock(mutex_);
  if (reader->generation() == source_.generation() && !reader->is_damaged()) {
    idle_.push_back(std::move(reader));
  }
}

}  // namespace leash::console
