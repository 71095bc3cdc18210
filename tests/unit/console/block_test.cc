#include "console/block.h"

#include <doctest/doctest.h>

#include "console/checked_bytes.h"
#include "console/id_set.h"
#include "console/varint.h"

namespace leash::console {
namespace {

HotRow hot_row(std::uint64_t seq, EventKind kind) {
  HotRow row;
  row.seq = seq;
  row.time_us = static_cast<std::int64_t>(seq) * 1'000;
  row.kind = kind;
  row.host = 7;
  row.client = 8;
  row.agent = 9;
  row.url = static_cast<TextId>(seq);
  row.status = 200;
  return row;
}

ColdRow cold_row(std::uint64_t position, const std::string& id) {
  ColdRow row;
  row.file = 3;
  row.position = position;
  row.id = id;
  row.port = 443;
  row.method = 11;
  row.bytes_down = 1'000'000'000'000;
  row.ms_hundredths = 0;
  return row;
}

}  // namespace

TEST_CASE("what goes into a block comes out of it") {
  BlockBuilder block;
  block.add(hot_row(10, EventKind::kAllowed), cold_row(0, "ab-1"), 1, 2);
  block.add(hot_row(11, EventKind::kBlocked), cold_row(500, "ab-12"), 0, 0);
  ColdRow other = cold_row(0, "");
  other.file = 4;
  other.port = 80;
  other.rule = 5;
  other.from = 1;
  other.to = 2;
  other.requests = 0;
  block.add(hot_row(12, EventKind::kModeChange), other, 0, 0);
  CHECK(block.first_seq() == 10);
  CHECK(block.last_seq() == 12);
  CHECK(block.file() == 3);

  const std::string hot_bytes = block.hot_bytes();
  const HotColumns hot(hot_bytes);
  REQUIRE(hot.size() == 3);
  CHECK(hot.seq(1) == 11);
  CHECK(hot.time_us(2) == 12'000);
  CHECK(hot.kind(1) == EventKind::kBlocked);
  CHECK(hot.host(0) == 7);
  CHECK(hot.agent(2) == 9);
  CHECK(hot.url(1) == 11);
  CHECK(hot.status(0) == 200);

  const std::vector<ColdRow> cold = read_cold(block.cold_bytes());
  REQUIRE(cold.size() == 3);
  CHECK(cold[0].id == "ab-1");
  CHECK(cold[1].id == "ab-12");
  CHECK(cold[1].position == 500);
  CHECK(cold[1].bytes_down == 1'000'000'000'000);
  CHECK(cold[1].ms_hundredths == 0);
  CHECK_FALSE(cold[1].bytes_up.has_value());
  CHECK(cold[2].file == 4);
  CHECK(cold[2].port == 80);
  CHECK(cold[2].rule == 5);
  CHECK(cold[2].to == 2);
  CHECK(cold[2].requests == 0);

  const std::string volume_bytes = block.volume_bytes();
  const Volumes volumes(volume_bytes);
  CHECK(volumes.up(0) == 1);
  CHECK(volumes.down(0) == 2);
  CHECK(volumes.up(5) == 0);

  const BlockSummary summary = read_summary(block.summary_bytes());
  CHECK(summary.allowed == 1);
  CHECK(summary.blocked == 1);
  CHECK(summary.bytes_down == 2);
  REQUIRE(summary.hosts.size() == 1);
  CHECK(summary.hosts[0].count == 2);
  CHECK(summary.hosts[0].bytes == 3);
  REQUIRE(summary.agents.size() == 1);
  CHECK(summary.agents[0].client == 8);
}

TEST_CASE("bytes that are no block are read as none") {
  BlockBuilder block;
  block.add(hot_row(1, EventKind::kAllowed), cold_row(0, "some-id"), 0, 0);
  const std::string cold = block.cold_bytes();
  for (std::size_t size = 0; size < cold.size(); ++size) {
    CHECK(read_cold(std::string_view(cold).substr(0, size)).empty());
  }
  CHECK(HotColumns("abc").size() == 0);
  CHECK(read_summary("").hosts.empty());
  std::string many;
  put_varint(many, kBlockRows + 1);
  CHECK(read_cold(many).empty());
}

TEST_CASE("numbers of all sizes come back") {
  std::string out;
  for (unsigned shift = 0; shift < 64; ++shift) put_varint(out, std::uint64_t{1} << shift);
  put_varint(out, UINT64_MAX);
  VarintReader in(out);
  for (unsigned shift = 0; shift < 64; ++shift) CHECK(in.next() == std::uint64_t{1} << shift);
  CHECK(in.next() == UINT64_MAX);
  CHECK(in.is_good());
  CHECK(in.next() == 0);
  CHECK_FALSE(in.is_good());
}

TEST_CASE("a set knows what is in it") {
  IdSet set;
  for (const std::uint32_t id : {0U, 63U, 64U, 1'000'000U, 64U}) set.add(id);
  CHECK(set.size() == 4);
  CHECK(set.has(1'000'000));
  CHECK_FALSE(set.has(65));
  CHECK_FALSE(set.has(4'000'000));
  set.remove(64);
  set.remove(64);
  set.remove(9'000'000);
  CHECK(set.size() == 3);
}

TEST_CASE("bytes with a sum behind them are not taken when any of them has changed") {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{31}, std::size_t{32},
                                 std::size_t{33}, std::size_t{100}}) {
    std::string bytes(size, 'x');
    append_check(bytes);
    CHECK(checked(bytes) == std::string(size, 'x'));
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      std::string bad = bytes;
      bad[at] = static_cast<char>(bad[at] ^ 0x40);
      CHECK_FALSE(checked(bad));
      CHECK_FALSE(checked(bytes.substr(0, at)));
    }
  }
}

}  // namespace leash::console
