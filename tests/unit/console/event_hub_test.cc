#include "console/event_hub.h"

#include <doctest/doctest.h>

namespace leash::console {
namespace {

class FakeStream final : public EventStream {
 public:
  void send(std::string_view text) override { sent += text; }
  [[nodiscard]] std::size_t pending_bytes() const override { return pending; }
  [[nodiscard]] bool is_open() const override { return opened; }
  void close() override { opened = false; }

  std::string sent;
  std::size_t pending = 0;
  bool opened = true;
};

Row row(std::uint64_t seq, EventKind kind = EventKind::kAllowed) {
  Row out;
  out.seq = seq;
  out.kind = kind;
  return out;
}

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t found = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("rows that pass the filter come once, in order") {
  EventHub hub;
  const auto stream = std::make_shared<FakeStream>();
  RowFilter filter;
  filter.events = mask_of(EventKind::kBlocked);
  REQUIRE(hub.add(stream, {}, filter, false) != nullptr);
  hub.on_rows({row(1), row(2, EventKind::kBlocked), row(3, EventKind::kBlocked)});
  hub.on_rows({row(3, EventKind::kBlocked)});
  CHECK(count(stream->sent, "event: row\n") == 2);
  CHECK(stream->sent.find("id: 2\nevent: row\ndata: {\"seq\":2,") != std::string::npos);
}

TEST_CASE("a reader that lags loses rows, hears of them, and goes on") {
  EventHub hub;
  const auto stream = std::make_shared<FakeStream>();
  REQUIRE(hub.add(stream, {}, {}, false) != nullptr);
  hub.on_rows({row(1)});
  stream->pending = EventHub::kMostPendingBytes;
  for (std::uint64_t seq = 2; seq < 5'000; ++seq) hub.on_rows({row(seq)});
  CHECK(count(stream->sent, "event: row\n") == 1);
  stream->pending = 0;
  hub.on_rows({row(5'000)});
  CHECK(stream->sent.find("event: gap\ndata: {\"from_seq\":2,\"to_seq\":4999}\n\n") !=
        std::string::npos);
  CHECK(count(stream->sent, "event: row\n") == 2);
}

TEST_CASE("rows that come while older ones are looked up are held, not doubled") {
  EventHub hub;
  const auto stream = std::make_shared<FakeStream>();
  const auto watch = hub.add(stream, {}, {}, true);
  hub.on_rows({row(4), row(5)});
  CHECK(count(stream->sent, "event: row\n") == 0);
  hub.catch_up(*watch, {row(3), row(4)}, 0);
  CHECK(count(stream->sent, "event: row\n") == 3);
  CHECK(stream->sent.find("\"seq\":3,") < stream->sent.find("\"seq\":4,"));
  CHECK(stream->sent.find("\"seq\":4,") < stream->sent.find("\"seq\":5,"));
}

TEST_CASE("whoever may not stay is cut, and there are only so many streams") {
  EventHub hub;
  const auto stream = std::make_shared<FakeStream>();
  REQUIRE(hub.add(stream, {}, {}, false) != nullptr);
  hub.tick({}, [](const Request&) { return false; });
  CHECK_FALSE(stream->is_open());
  hub.on_rows({});
  for (std::size_t i = 0; i < EventHub::kMostStreams; ++i) {
    REQUIRE(hub.add(std::make_shared<FakeStream>(), {}, {}, false) != nullptr);
  }
  CHECK(hub.is_full());
  CHECK(hub.add(std::make_shared<FakeStream>(), {}, {}, false) == nullptr);
}

TEST_CASE("data cannot make an event of its own") {
  Row hostile = row(1);
  hostile.url = "\n\nevent: row\ndata: {}\n\n";
  JsonWriter json;
  write_row(json, hostile);
  const std::string event = sse_event("row", json.take(), 1);
  CHECK(count(event, "\n\n") == 1);
  CHECK(count(event, "\nevent: ") == 1);
}

}  // namespace leash::console
