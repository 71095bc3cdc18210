#include "audit/open_intents.h"

#include "unit/audit/log_fixture.h"

namespace leash::audit {
namespace {

// Lines as leash writes them: "request a", "allowed a", "start", ...
std::string log_of(const std::vector<std::pair<Event, std::string>>& events,
                   std::uint64_t first_seq = 1) {
  std::string out;
  ChainValue chain{};
  std::uint64_t seq = first_seq;
  for (const auto& [event, id] : events) {
    Record record = note(id, event);
    if (event == Event::kAllowed) record.res_body = R"(, "id": "nobody")";
    const std::size_t start = out.size();
    out += render(record);
    chain = finish_line(out, start, seq++, chain);
  }
  return out;
}

std::vector<std::string> open_in(const std::string& log, bool is_left) {
  OpenIntents open(OpenIntents::Keep::kLines);
  for (const std::string& line : split_lines(log)) open.add(line);
  std::vector<std::string> out;
  for (const OpenIntents::Intent& intent : open.intents()) {
    if (intent.is_left == is_left) out.push_back(intent.id);
  }
  return out;
}

using Ids = std::vector<std::string>;

TEST_CASE("an intent without an outcome is open; a start or stop behind it says it was left") {
  const std::string log = log_of({{Event::kStart, ""},
                                  {Event::kConnectAllowed, "t1"},
                                  {Event::kRequest, "a"},
                                  {Event::kRequest, "b"},
                                  {Event::kAllowed, "a"},
                                  {Event::kStart, ""},
                                  {Event::kConnectAllowed, "t2"},
                                  {Event::kConnectAllowed, "t3"},
                                  {Event::kTunnelClosed, "t3"},
                                  {Event::kRequest, "c"},
                                  {Event::kError, "c"},
                                  {Event::kRequest, "d"},
                                  {Event::kBlocked, "d"}});
  CHECK(open_in(log, true) == Ids{"t1", "b"});
  CHECK(open_in(log, false) == Ids{"t2"});
  CHECK(open_in(log + log_of({{Event::kStop, ""}}), true) == Ids{"t1", "b", "t2"});
}

TEST_CASE("lines that leash did not write are passed over") {
  CHECK(open_in("\n{}\nx\n{\"ts\": 1.0, \"event\": \"request\", \"url\": \"x\"}\n"
                "{\"ts\": 1.0, \"event\": \"request\", \"id\": \"\"}\n"
                "{\"ts\": 1.0, \"event\": \"request\", \"id\": \"unended\n"
                "{\"ts\": 1.0, \"event\": \"requ",
                false)
            .empty());
}

TEST_CASE("what the last run left open is found at the end of its log") {
  const TempDir dir;
  const std::string path = dir.file("log");
  CHECK(find_left_open(path).count == 0);
  write_file(path, log_of({{Event::kStart, ""},
                           {Event::kRequest, "told"},
                           {Event::kStart, ""},
                           {Event::kRequest, "a"},
                           {Event::kConnectAllowed, "t"},
                           {Event::kRequest, "b"},
                           {Event::kAllowed, "b"}}) +
                       "{\"ts\": 1.0, \"event\": \"request\", \"id\": \"torn\"");
  const LeftOpen left = find_left_open(path);
  CHECK(left.count == 2);
  CHECK(left.ids == Ids{"a", "t"});
  CHECK(left.from_seq == 0);
}

TEST_CASE("the list of what was left open is bounded, its count is not") {
  const TempDir dir;
  std::vector<std::pair<Event, std::string>> events = {{Event::kStart, ""}};
  for (int i = 0; i < 100; ++i) events.emplace_back(Event::kRequest, "r" + std::to_string(i));
  write_file(dir.file("log"), log_of(events));
  const LeftOpen left = find_left_open(dir.file("log"));
  CHECK(left.count == 100);
  REQUIRE(left.ids.size() == LeftOpen::kMaxShown);
  CHECK(left.ids.front() == "r0");
}

TEST_CASE("a look back that does not reach the start of the run says where it began") {
  const TempDir dir;
  const std::string end = log_of({{Event::kRequest, "b"}, {Event::kRequest, "c"}}, 3);
  const std::string log = log_of({{Event::kStart, ""}, {Event::kRequest, "a"}}) + end;
  write_file(dir.file("log"), log);
  const LeftOpen left = find_left_open(dir.file("log"), end.size() + 10);
  CHECK(left.ids == Ids{"b", "c"});
  CHECK(left.from_seq == 3);
  CHECK(find_left_open(dir.file("log"), log.size()).ids == Ids{"a", "b", "c"});
}

TEST_CASE("what was left open is found over the files that leash rotated its log into") {
  const TempDir dir;
  write_file(dir.file("log.seq000000000002"),
             log_of({{Event::kStart, ""}, {Event::kRequest, "a"}}));
  write_file(dir.file("log.seq000000000004"),
             log_of({{Event::kRequest, "b"}, {Event::kRequest, "c"}}, 3));
  write_file(dir.file("log"), log_of({{Event::kAllowed, "b"}}, 5));
  CHECK(find_left_open(dir.file("log")).ids == Ids{"a", "c"});
}

}  // namespace
}  // namespace leash::audit
