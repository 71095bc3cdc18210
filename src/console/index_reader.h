// Asks the index.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "console/block.h"
#include "console/database.h"
#include "console/row.h"
#include "console/row_filter.h"
#include "console/text_matcher.h"

namespace leash::console {

// The detail of the error where there is nothing to ask yet.
inline constexpr std::string_view kBeingMade = "the index is being made";

struct RowPage {
  std::vector<Row> rows;
  std::optional<std::uint64_t> next;  // there may be more before this seq
};

// Where the line of a row is.
struct LinePlace {
  Row row;
  std::string path;
  std::uint64_t position = 0;
};

struct PartyTotal {
  std::string name;
  std::string client;  // of an agent
  std::uint64_t count = 0;
  std::uint64_t blocked = 0;
  std::uint64_t bytes = 0;
};

struct Stats {
  std::int64_t from = 0;  // seconds
  std::int64_t to = 0;
  std::int64_t bucket_seconds = 1;
  struct Bucket {
    std::uint64_t allowed = 0;
    std::uint64_t would_block = 0;
    std::uint64_t blocked = 0;
    std::uint64_t error = 0;
  };
  std::vector<Bucket> series;
  Bucket totals;
  std::uint64_t bytes_up = 0;
  std::uint64_t bytes_down = 0;
  std::vector<PartyTotal> hosts;   // the busiest first
  std::vector<PartyTotal> agents;  // the same
};

// Requests of one kind to one place, as one.
struct RequestGroup {
  Row newest;
  std::uint64_t count = 0;
};
struct RequestGroups {
  std::vector<RequestGroup> groups;
  std::uint64_t rows = 0;
  // The look back ended here, since there were too many different ones; 0: it did not.
  std::int64_t complete_from_us = 0;
};

// One query at a time. Each of its methods sees the index as it is at one moment. Errors: timeout,
// io, and those that are named.
class IndexReader {
 public:
  static constexpr std::chrono::seconds kQueryTime{10};
  static constexpr std::size_t kMostParties = 50;

  // Of a damaged index as well.
  [[nodiscard]] static base::Result<std::unique_ptr<IndexReader>> open(const std::string& path,
                                                                       SearchCache& cache,
                                                                       std::uint64_t generation);
  ~IndexReader();

  // What comes with or before this seq is not shown in pages and sums.
  void set_floor(std::uint64_t seq) { floor_ = seq; }
  [[nodiscard]] std::uint64_t generation() const { return generation_; }
  // Then it is of no more use, whatever its answers were.
  [[nodiscard]] bool is_damaged() const { return database_->is_damaged(); }

  // The newest first, before `before_seq`.
  [[nodiscard]] base::Result<RowPage> page(const RowFilter& filter,
                                           std::optional<std::uint64_t> before_seq,
                                           std::size_t limit);
  // Those behind `seq`, the newest `limit` of them, the oldest first; `next` where there are more.
  [[nodiscard]] base::Result<RowPage> since(const RowFilter& filter, std::uint64_t seq,
                                            std::size_t limit);
  [[nodiscard]] base::Result<Stats> stats(const RowFilter& filter, std::size_t buckets);
  // All rows with this id, the oldest first; at most `most`.
  [[nodiscard]] base::Result<std::vector<LinePlace>> lines_of(const std::string& id,
                                                              std::size_t most);
  // The rows behind `after_seq` and where their lines are, the oldest first.
  [[nodiscard]] base::Result<std::vector<LinePlace>> places(const RowFilter& filter,
                                                            std::uint64_t after_seq,
                                                            std::size_t limit);
  // The rows that pass, those that agree in place, method, URL, party and outcome as one; looks
  // back from the newest until there are `most` different ones.
  [[nodiscard]] base::Result<RequestGroups> groups(const RowFilter& filter, std::size_t most);

 private:
  // A filter in the index's own numbers.
  struct Condition {
    const RowFilter& filter;
    bool by_host = false;
    bool by_client = false;
    bool by_agent = false;
    IdSet hosts;        // those that are wanted
    IdSet clients;      // the same
    IdSet agents;       // the same
    IdSet found_names;  // hosts, clients and agents that hold the searched text
    std::unique_ptr<TextMatcher> texts;
  };
  struct Block {
    std::int64_t id = 0;
    std::uint64_t first_seq = 0;
    std::uint64_t last_seq = 0;
    std::int64_t first_us = 0;
    std::int64_t last_us = 0;
  };
  // A read transaction with a deadline.
  class Query {
   public:
    explicit Query(IndexReader& reader);
    ~Query();
    Query(const Query&) = delete;
    Query& operator=(const Query&) = delete;

   private:
    IndexReader& reader_;
  };
  struct Sums;
  IndexReader(std::unique_ptr<Database> database, SearchCache& cache, std::uint64_t generation);

  [[nodiscard]] std::unique_ptr<Condition> compile(const RowFilter& filter);
  void compile_names(const RowFilter& filter, Condition& condition);
  [[nodiscard]] static bool takes(Condition& condition, const HotColumns& hot, std::size_t i);
  enum class Order { kNewestFirst, kOldestFirst };
  [[nodiscard]] std::vector<Block> blocks(const RowFilter& filter,
                                          std::optional<std::uint64_t> before_seq, Order order);
  [[nodiscard]] std::string_view load(Statement& statement, std::int64_t block);
  void collect(const RowFilter& filter, std::optional<std::uint64_t> before_seq,
               std::uint64_t after_seq, std::size_t limit, std::vector<Row>& out);
  [[nodiscard]] Row make_row(const HotColumns& hot, std::size_t i, const ColdRow& cold);
  [[nodiscard]] const std::string& name(NameId id);
  [[nodiscard]] std::string text(TextId id);
  [[nodiscard]] std::string path_of(std::uint32_t file);
  void sum_summary(const Block& block, Sums& sums);
  void sum_rows(const Block& block, Condition& condition, Sums& sums);
  void finish(Sums& sums, Stats& out);
  [[nodiscard]] Stats sum_up(const RowFilter& filter, std::size_t buckets);
  // `value`, unless the query has failed or run out of time.
  template <class T>
  base::Result<T> ended(T value) {
    if (database_->error()) return tl::unexpected(*database_->error());
    if (database_->is_past_deadline()) {
      return base::fail(base::Code::kTimeout, base::Fault::kProxy, "the query took too long");
    }
    return value;
  }

  std::unique_ptr<Database> database_;
  SearchCache& cache_;
  std::uint64_t generation_;
  std::uint64_t floor_ = 0;
  std::unordered_map<NameId, std::string> names_;
  Statement hot_;
  Statement cold_;
  Statement volume_;
  Statement summary_;
  Statement name_;
  Statement text_;
};

// Readers for the query threads: one is lent at a time to each.
class ReaderPool {
 public:
  // What there is to read: which making of the index, counted from 1, and whom to tell that it is
  // damaged; that returns when there is another one, or soon.
  struct Source {
    std::function<std::uint64_t()> generation;
    std::function<void(std::uint64_t generation, const std::string& why)> replace;
  };
  ReaderPool(std::string path, Source source);

  // What `question` says of a reader. Where the index proves to be damaged, it is made anew, and
  // the question is asked once more, of what there is by then. Errors: those of the question, io
  // (there is no index yet).
  template <class Question>
  std::invoke_result_t<Question, IndexReader&> ask(Question question) {
    for (int tries = 0; tries < 2; ++tries) {
      auto reader = lease();
      if (!reader) return tl::unexpected(reader.error());
      const std::uint64_t generation = (*reader)->generation();
      std::string why = "it cannot be read";
      if (!(*reader)->is_damaged()) {
        auto answer = question(**reader);
        if (!(*reader)->is_damaged()) return answer;
        if (!answer) why = answer.error().detail;
      }
      source_.replace(generation, why);
    }
    return tl::unexpected(is_being_made());
  }
  void set_floor(std::uint64_t seq) { floor_ = seq; }

 private:
  class Lease {
   public:
    Lease(ReaderPool& pool, std::unique_ptr<IndexReader> reader)
        : pool_(&pool), reader_(std::move(reader)) {}
    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = delete;
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() {
      if (reader_) pool_->give_back(std::move(reader_));
    }
    IndexReader* operator->() const { return reader_.get(); }
    IndexReader& operator*() const { return *reader_; }

   private:
    ReaderPool* pool_;
    std::unique_ptr<IndexReader> reader_;
  };
  [[nodiscard]] base::Result<Lease> lease();
  [[nodiscard]] static base::Error is_being_made();
  void give_back(std::unique_ptr<IndexReader> reader);
  const std::string path_;
  const Source source_;
  SearchCache cache_;
  std::atomic<std::uint64_t> floor_{0};
  std::mutex mutex_;
  std::vector<std::unique_ptr<IndexReader>> idle_;
};

}  // namespace leash::console
