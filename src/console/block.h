// Some thousand consecutive rows as columns: what the index keeps on disk, and what a query reads.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "console/event_kind.h"

namespace leash::console {

inline constexpr std::size_t kBlockRows = 4096;

// A number that stands for a text in the index; 0: no text.
using NameId = std::uint32_t;  // hosts, clients, agents, methods, rules: few, each once
using TextId = std::uint32_t;  // URLs and reasons: many

// What filters and sums look at.
struct HotRow {
  std::uint64_t seq = 0;
  std::int64_t time_us = 0;
  NameId host = 0;
  NameId client = 0;
  NameId agent = 0;
  TextId url = 0;
  TextId reason = 0;
  std::uint16_t status = 0;
  EventKind kind = EventKind::kOther;
  std::uint8_t flags = 0;
};

// What is looked at only when a row is shown.
struct ColdRow {
  std::uint32_t file = 0;      // where its line is
  std::uint64_t position = 0;  // of its first byte, unpacked
  std::string id;
  std::uint16_t port = 0;
  NameId method = 0;
  NameId rule = 0;
  NameId addr = 0;
  NameId from = 0;
  NameId to = 0;
  NameId other_event = 0;
  std::optional<std::uint64_t> bytes;
  std::optional<std::uint64_t> bytes_up;
  std::optional<std::uint64_t> bytes_down;
  std::optional<std::uint64_t> requests;
  std::optional<std::uint64_t> ms_hundredths;
};

// Sums over a block for a party that occurs in it.
struct PartySum {
  NameId name = 0;
  NameId client = 0;  // of an agent
  std::uint32_t count = 0;
  std::uint32_t blocked = 0;
  std::uint64_t bytes = 0;
};

struct BlockSummary {
  std::uint32_t allowed = 0;
  std::uint32_t would_block = 0;
  std::uint32_t blocked = 0;
  std::uint32_t error = 0;
  std::uint64_t bytes_up = 0;
  std::uint64_t bytes_down = 0;
  std::vector<PartySum> hosts;
  std::vector<PartySum> agents;
};

class BlockBuilder {
 public:
  void add(const HotRow& hot, ColdRow cold, std::uint64_t up, std::uint64_t down);
  [[nodiscard]] std::size_t size() const { return hot_.size(); }
  void clear();

  [[nodiscard]] std::uint64_t first_seq() const { return hot_.front().seq; }
  [[nodiscard]] std::uint64_t last_seq() const { return hot_.back().seq; }
  [[nodiscard]] std::int64_t first_us() const { return first_us_; }  // the least, not the first
  [[nodiscard]] std::int64_t last_us() const { return last_us_; }
  [[nodiscard]] std::uint32_t file() const { return cold_.front().file; }  // of all its rows
  [[nodiscard]] EventMask events() const { return events_; }

  [[nodiscard]] std::string hot_bytes() const;
  [[nodiscard]] std::string volume_bytes() const;
  [[nodiscard]] std::string cold_bytes() const;
  [[nodiscard]] std::string id_bytes() const;  // a hash of each id
  [[nodiscard]] std::string summary_bytes() const;

 private:
  std::vector<HotRow> hot_;
  std::vector<ColdRow> cold_;
  std::vector<std::uint64_t> up_;
  std::vector<std::uint64_t> down_;
  std::int64_t first_us_ = 0;
  std::int64_t last_us_ = 0;
  EventMask events_ = 0;
};

// The columns of hot_bytes, in place. Not usable (size 0) where the bytes are not what they should
// be.
class HotColumns {
 public:
  explicit HotColumns(std::string_view bytes);
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::uint64_t seq(std::size_t i) const { return at<std::uint64_t>(seq_, i); }
  [[nodiscard]] std::int64_t time_us(std::size_t i) const { return at<std::int64_t>(time_, i); }
  [[nodiscard]] NameId host(std::size_t i) const { return at<NameId>(host_, i); }
  [[nodiscard]] NameId client(std::size_t i) const { return at<NameId>(client_, i); }
  [[nodiscard]] NameId agent(std::size_t i) const { return at<NameId>(agent_, i); }
  [[nodiscard]] TextId url(std::size_t i) const { return at<TextId>(url_, i); }
  [[nodiscard]] TextId reason(std::size_t i) const { return at<TextId>(reason_, i); }
  [[nodiscard]] std::uint16_t status(std::size_t i) const { return at<std::uint16_t>(status_, i); }
  [[nodiscard]] EventKind kind(std::size_t i) const {
    return static_cast<EventKind>(at<std::uint8_t>(kind_, i));
  }
  [[nodiscard]] std::uint8_t flags(std::size_t i) const { return at<std::uint8_t>(flags_, i); }

 private:
  template <class T>
  static T at(const char* column, std::size_t i) {
    T value;
    std::memcpy(&value, column + i * sizeof(T), sizeof(T));
    return value;
  }

  std::size_t size_ = 0;
  const char* seq_ = nullptr;
  const char* time_ = nullptr;
  const char* host_ = nullptr;
  const char* client_ = nullptr;
  const char* agent_ = nullptr;
  const char* url_ = nullptr;
  const char* reason_ = nullptr;
  const char* status_ = nullptr;
  const char* kind_ = nullptr;
  const char* flags_ = nullptr;
};

// Bytes up and down of each row.
struct Volumes {
  explicit Volumes(std::string_view bytes);
  [[nodiscard]] std::uint64_t up(std::size_t i) const;
  [[nodiscard]] std::uint64_t down(std::size_t i) const;

 private:
  std::string_view bytes_;
};

[[nodiscard]] std::uint32_t id_hash(std::string_view id);
// Empty where the bytes are not what they should be.
[[nodiscard]] std::vector<ColdRow> read_cold(std::string_view bytes);
[[nodiscard]] BlockSummary read_summary(std::string_view bytes);

}  // namespace leash::console
