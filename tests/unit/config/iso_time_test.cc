#include "config/iso_time.h"

#include <doctest/doctest.h>

namespace leash::config {
namespace {

std::int64_t seconds(std::string_view text) {
  const auto moment = parse_iso_time(text);
  if (!moment) return -1;
  return std::chrono::duration_cast<std::chrono::seconds>(moment->time_since_epoch()).count();
}

TEST_CASE("dates and times with a zone are read") {
  CHECK(seconds("1970-01-01") == 0);
  CHECK(seconds("2026-12-31") == 1798675200);
  CHECK(seconds("2026-12-31T00:00:00Z") == 1798675200);
  CHECK(seconds("2026-12-31 00:00Z") == 1798675200);
  CHECK(seconds("2026-12-31T02:00:00+02:00") == 1798675200);
  CHECK(seconds("2026-12-30T22:30:00-0130") == 1798675200);
  CHECK(seconds("2026-12-31T00:00:01.999z") == 1798675201);
  CHECK(seconds("2024-02-29") == 1709164800);
}

TEST_CASE("a time later than the clock can hold is its last moment") {
  CHECK(parse_iso_time("9999-12-31") == std::chrono::system_clock::time_point::max());
}

TEST_CASE("anything else is refused") {
  for (const char* text : {"",
                           "2026",
                           "2026-13-01",
                           "2026-02-30",
                           "2023-02-29",
                           "2026-1-1",
                           "2026-12-31T00:00:00",
                           "2026-12-31T24:00Z",
                           "2026-12-31T23:60Z",
                           "2026-12-31T23:59:60Z",
                           "2026-12-31T00:00Z ",
                           " 2026-12-31",
                           "2026-12-31T",
                           "2026-12-31T00:00:00.Z",
                           "2026-12-31T00:00+2",
                           "2026-12-31T00:00+24:00",
                           "1969-12-31",
                           "31.12.2026",
                           "tomorrow",
                           "0000-01-01",
                           "2026-00-10"}) {
    CHECK_MESSAGE(seconds(text) == -1, text);
  }
}

}  // namespace
}  // namespace leash::config
