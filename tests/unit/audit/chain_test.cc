#include "audit/chain.h"

#include <doctest/doctest.h>

#include "audit/line_view.h"
#include "audit/log_tail.h"
#include "audit/merkle.h"

namespace leash::audit {
namespace {

std::string lines(std::uint64_t first, std::uint64_t last, ChainValue& chain) {
  std::string out;
  for (std::uint64_t seq = first; seq <= last; ++seq) {
    const std::size_t start = out.size();
    out.append("{\"ts\": 1.0, \"event\": \"allowed\"");
    chain = finish_line(out, start, seq, chain);
  }
  return out;
}

LogTail tail_of(const std::string& file) {
  const auto tail = read_tail(
      [&](char* to, std::size_t size, std::uint64_t offset) -> std::int64_t {
        // Short reads are allowed.
        const std::size_t count = std::min<std::size_t>({size, file.size() - offset, 1000});
        file.copy(to, count, offset);
        return static_cast<std::int64_t>(count);
      },
      file.size());
  REQUIRE(tail);
  return *tail;
}

TEST_CASE("a finished line splits again") {
  ChainValue chain{};
  const std::string line = lines(7, 7, chain);
  CHECK(line.starts_with("{\"ts\": 1.0, \"event\": \"allowed\", \"seq\": 7, \"chain\": \""));
  CHECK(line.ends_with("\"}\n"));
  const auto split = split_line(std::string_view(line).substr(0, line.size() - 1));
  REQUIRE(split);
  CHECK(split->seq == 7);
  CHECK(split->chain == chain);
  CHECK(split->covered == "{\"ts\": 1.0, \"event\": \"allowed\", \"seq\": 7");
  CHECK(next_chain(ChainValue{}, split->covered) == chain);
}

TEST_CASE("the chain value is the hash of the previous value and the line") {
  std::string out = "{\"a\": 1";
  ChainValue zero{};
  const ChainValue chain = finish_line(out, 0, 1, zero);
  CHECK(chain == tls::sha256(std::string(32, '\0') + "{\"a\": 1, \"seq\": 1"));
}

TEST_CASE("what does not end as a chained line is none") {
  ChainValue chain{};
  std::string line = lines(1, 1, chain);
  line.pop_back();
  for (const std::string& wrong :
       {std::string(), std::string("{}"), line + " ", line.substr(1),
        line.substr(0, line.size() - 1), "{\"a\": 1, \"seq\": 01" + line.substr(line.size() - 78),
        "{\"a\": 1, \"seq\": " + line.substr(line.size() - 78),
        "{\"a\": 1, \"seq\": 18446744073709551615" + line.substr(line.size() - 78)}) {
    CHECK_FALSE_MESSAGE(split_line(wrong), wrong);
  }
  CHECK(split_line("{\"a\": 1, \"seq\": 18446744073709551614" + line.substr(line.size() - 78)));
  line[line.size() - 10] = 'A';  // upper-case hex
  CHECK_FALSE(split_line(line));
}

TEST_CASE("the tail of an empty log is its beginning") {
  const LogTail tail = tail_of("");
  CHECK(tail.end == 0);
  CHECK(tail.torn_bytes == 0);
  CHECK(tail.seq == 0);
  CHECK(tail.chain == ChainValue{});
}

TEST_CASE("the tail of a whole log is its last line") {
  ChainValue chain{};
  const std::string file = lines(1, 2000, chain);
  const LogTail tail = tail_of(file);
  CHECK(tail.end == file.size());
  CHECK(tail.torn_bytes == 0);
  CHECK(tail.seq == 2000);
  CHECK(tail.chain == chain);
  CHECK(tail.unsigned_lines.size() == 2000);
}

TEST_CASE("a log cut anywhere goes on behind its last whole line") {
  ChainValue first{};
  const std::string one = lines(1, 1, first);
  ChainValue chain = first;
  const std::string two = one + lines(2, 2, chain);
  for (std::size_t size = 0; size <= two.size(); ++size) {
    const LogTail tail = tail_of(two.substr(0, size));
    const std::size_t whole = size == two.size() ? size : size >= one.size() ? one.size() : 0;
    CHECK(tail.end == whole);
    CHECK(tail.torn_bytes == size - whole);
    CHECK(tail.seq == (whole == two.size() ? 2 : whole > 0 ? 1 : 0));
    if (size > whole) {
      CHECK(tail.is_ours);
      CHECK(tail.torn_start == two.substr(whole, std::min(kTornShown, size - whole)));
    }
  }
}

TEST_CASE("a torn piece that is not ours is not ours to cut") {
  CHECK_FALSE(tail_of("root:x:0:0").is_ours);
  CHECK_FALSE(tail_of("root:x:0:0\n").is_ours);
  CHECK(tail_of("root:x:0:0\n").is_ended);
  CHECK(tail_of(std::string(300, '\0')).is_ours);
}

TEST_CASE("lines of megabytes are found whole") {
  ChainValue chain{};
  std::string file = lines(1, 1, chain);
  const std::size_t start = file.size();
  file += "{\"ts\": 1.0, \"res_body\": \"" + std::string(5'000'000, 'x') + "\"";
  chain = finish_line(file, start, 2, chain);
  CHECK(tail_of(file).seq == 2);
  CHECK(tail_of(file).chain == chain);
  const LogTail torn = tail_of(file.substr(0, file.size() - 1));
  CHECK(torn.seq == 1);
  CHECK(torn.end == start);
}

TEST_CASE("a log of the original has no position in a chain") {
  const std::string file =
      "{\"ts\": 1.0, \"event\": \"blocked\"}\n{\"ts\": 2.0, \"event\": \"blocked\"}\n";
  const LogTail tail = tail_of(file);
  CHECK(tail.seq == 0);
  CHECK(tail.end == file.size());
  CHECK(tail.torn_bytes == 0);
}

TEST_CASE("lines without a chain behind chained ones are passed over") {
  ChainValue chain{};
  const std::string file = lines(1, 3, chain) + "{\"ts\": 2.0, \"event\": \"blocked\"}\n\n";
  const LogTail tail = tail_of(file);
  CHECK(tail.seq == 3);
  CHECK(tail.chain == chain);
  CHECK(tail.end == file.size());
}

TEST_CASE("unsigned lines are those behind the last checkpoint") {
  ChainValue chain{};
  std::string file = lines(1, 5, chain);
  const std::size_t start = file.size();
  file += "{\"ts\": 1.0, \"event\": \"checkpoint\"";
  chain = finish_line(file, start, 6, chain);
  CHECK(tail_of(file).unsigned_lines.empty());
  file += lines(7, 9, chain);
  const LogTail tail = tail_of(file);
  REQUIRE(tail.unsigned_lines.size() == 3);
  CHECK(tail.unsigned_lines.back() == chain);
}

TEST_CASE("a Merkle root is that of RFC 9162") {
  const ChainValue a = tls::sha256("a");
  const ChainValue b = tls::sha256("b");
  const ChainValue c = tls::sha256("c");
  const auto leaf = [](const ChainValue& v) { return tls::sha256(std::string("\0", 1), raw(v)); };
  const auto node = [](const ChainValue& l, const ChainValue& r) {
    return tls::sha256("\1" + std::string(raw(l)), raw(r));
  };
  CHECK(merkle_root({}) == tls::sha256(""));
  CHECK(merkle_root(std::vector{a}) == leaf(a));
  CHECK(merkle_root(std::vector{a, b}) == node(leaf(a), leaf(b)));
  CHECK(merkle_root(std::vector{a, b, c}) == node(node(leaf(a), leaf(b)), leaf(c)));
}

TEST_CASE("each leaf of each tree has a path to its root, and no other leaf has it") {
  std::vector<ChainValue> leaves;
  for (int size = 1; size <= 40; ++size) {
    leaves.push_back(tls::sha256(std::to_string(size)));
    const tls::Digest root = merkle_root(leaves);
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      auto path = merkle_path(leaves, i);
      REQUIRE(merkle_root_from(leaves[i], i, leaves.size(), path) == root);
      REQUIRE(merkle_root_from(tls::sha256("x"), i, leaves.size(), path) != root);
      REQUIRE(merkle_root_from(leaves[i], i + 1, leaves.size(), path) != root);
      path.push_back(root);
      REQUIRE_FALSE(merkle_root_from(leaves[i], i, leaves.size(), path));
    }
  }
  CHECK_FALSE(merkle_root_from(leaves[0], 0, 0, {}));
}

TEST_CASE("a line's fields are read without a tree") {
  const auto view = LineView::parse(
      R"( {"a" : "x\"\u00fc\ud83d\ude00\udcff\/", "b": [1, {"a": ["]"]}], "n": -1.5e3, "i": 12, "t": true, "e": {}, "a": 2} )");
  REQUIRE(view);
  CHECK(view->text("a") == "x\"\xc3\xbc\xf0\x9f\x98\x80\xff/");
  CHECK(view->raw("b") == R"([1, {"a": ["]"]}])");
  CHECK(view->number("n") == -1500.0);
  CHECK(view->integer("i") == 12);
  CHECK_FALSE(view->integer("n"));
  CHECK_FALSE(view->text("t"));
  CHECK_FALSE(view->number("a"));
  CHECK(view->raw("missing").empty());
  CHECK(view->fields().size() == 7);
}

TEST_CASE("what is not one JSON object has no view") {
  for (const char* text : {"",
                           "{",
                           "}",
                           "[]",
                           "1",
                           "{}x",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{a:1}",
                           "{\"a\":01}",
                           "{\"a\":1.}",
                           "{\"a\":+1}",
                           "{\"a\":tru}",
                           "{\"a\":\"\\x\"}",
                           "{\"a\":\"\\u12\"}",
                           "{\"a\":[1,]}",
                           "{\"a\":[,1]}",
                           "{\"a\":[1}",
                           "{\"a\":{\"b\"}}",
                           "{\"a\":{\"b\":}}",
                           "{\"a\":{1:2}}",
                           "{\"a\":[1 2]}",
                           "{\"a\":\"\n\"}",
                           "{\"a\":1e}",
                           "{\"a\":-}"}) {
    CHECK_FALSE_MESSAGE(LineView::parse(text), text);
  }
  std::string deep(1000, '[');
  deep = "{\"a\":" + deep + "}";
  CHECK_FALSE(LineView::parse(deep));
  CHECK(LineView::parse("{\"a\":[[],{},[{}],{\"b\":[]}]}"));
}

}  // namespace
}  // namespace leash::audit
