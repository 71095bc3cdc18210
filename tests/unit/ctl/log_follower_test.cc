#include "insight/log_follower.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "unit/ctl/desk.h"

namespace leash::ctl {
namespace {

std::vector<std::string> lines_of(insight::LogFollower& log) {
  std::vector<std::string> lines;
  const auto done = log.poll([&lines](std::string_view line) { lines.emplace_back(line); });
  CHECK(done.has_value());
  return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("following begins with the last lines that are asked for") {
  const Desk desk;
  desk.write(desk.log(), "1\n2\n3\n");
  for (const auto& [count, expected] :
       std::vector<std::pair<std::size_t, Lines>>{{0, {}}, {2, {"2", "3"}}, {9, {"1", "2", "3"}}}) {
    insight::LogFollower log(desk.log());
    REQUIRE(log.start(count).has_value());
    CHECK(lines_of(log) == expected);
    CHECK(lines_of(log).empty());
  }
}

TEST_CASE("the last lines are found over the edges of blocks") {
  const Desk desk;
  const std::string big(200'000, 'x');
  desk.write(desk.log(), "1\n" + big + "\n3\n");
  insight::LogFollower log(desk.log());
  REQUIRE(log.start(2).has_value());
  CHECK(lines_of(log) == Lines{big, "3"});
}

TEST_CASE("a line counts when it is whole") {
  const Desk desk;
  desk.write(desk.log(), "1\n2");
  insight::LogFollower log(desk.log());
  REQUIRE(log.start(5).has_value());
  CHECK(lines_of(log) == Lines{"1"});
  desk.append(desk.log(), "2");
  CHECK(lines_of(log).empty());
  desk.append(desk.log(), "\n3\n");
  CHECK(lines_of(log) == Lines{"22", "3"});
}

TEST_CASE("a log that is moved away and made anew is read to its end, then the new one") {
  const Desk desk;
  desk.write(desk.log(), "1\n");
  insight::LogFollower log(desk.log());
  REQUIRE(log.start(0).has_value());
  std::filesystem::rename(desk.log(), desk.log() + ".1");
  desk.append(desk.log() + ".1", "2\n");
  CHECK(lines_of(log) == Lines{"2"});
  desk.append(desk.log() + ".1", "3\n");
  desk.write(desk.log(), "4\n");
  CHECK(lines_of(log) == Lines{"3", "4"});
  desk.append(desk.log(), "5\n");
  CHECK(lines_of(log) == Lines{"5"});
}

TEST_CASE("a log that is truncated is read from its beginning") {
  const Desk desk;
  desk.write(desk.log(), "1\n2\n3");
  insight::LogFollower log(desk.log());
  REQUIRE(log.start(9).has_value());
  CHECK(lines_of(log) == Lines{"1", "2"});
  desk.write(desk.log(), "4\n");
  CHECK(lines_of(log) == Lines{"4"});
}

TEST_CASE("a log that comes later is waited for") {
  const Desk desk;
  insight::LogFollower log(desk.log());
  CHECK_FALSE(log.start(1).has_value());
  CHECK(lines_of(log).empty());
  desk.write(desk.log(), "1\n");
  CHECK(lines_of(log) == Lines{"1"});
}

TEST_CASE("a FIFO is no log") {
  const Desk desk;
  REQUIRE(::mkfifo(desk.log().c_str(), 0600) == 0);
  insight::LogFollower log(desk.log());
  CHECK_FALSE(log.start(1).has_value());
}

}  // namespace leash::ctl
