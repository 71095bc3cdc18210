#include "insight/moment.h"

#include <doctest/doctest.h>

#include <limits>

namespace leash::insight {
namespace {

const Moment kNow = moment_of(1'767'225'600);  // 2026-01-01T00:00:00Z

std::string read(std::string_view text) {
  const auto moment = parse_moment(text, kNow);
  return moment ? moment_text(*moment) : "none";
}

}  // namespace

TEST_CASE("a span counts back from now") {
  CHECK(read("90s") == "2025-12-31T23:58:30.000Z");
  CHECK(read("2h") == "2025-12-31T22:00:00.000Z");
  CHECK(read("1w") == "2025-12-25T00:00:00.000Z");
}

TEST_CASE("ISO 8601 is read with and without time, fraction and offset") {
  CHECK(read("2026-01-31") == "2026-01-31T00:00:00.000Z");
  CHECK(read("2026-01-31T12:30") == "2026-01-31T12:30:00.000Z");
  CHECK(read("2026-01-31 12:30:05.25") == "2026-01-31T12:30:05.250Z");
  CHECK(read("2026-01-31T12:30:05+02:00") == "2026-01-31T10:30:05.000Z");
  CHECK(read("2026-01-31T12:30:05-0530") == "2026-01-31T18:00:05.000Z");
  CHECK(read("2026-01-31T12:30:05Z") == "2026-01-31T12:30:05.000Z");
}

TEST_CASE("Unix seconds are read") {
  CHECK(read("1767225600") == "2026-01-01T00:00:00.000Z");
  CHECK(read("1767225600.25") == "2026-01-01T00:00:00.250Z");
}

TEST_CASE("what is no time is refused") {
  for (const char* text : {"", "h", "-1h", "1y", "2026-02-30", "2026-1-1", "2026-01-01T25:00",
                           "2026-01-01T00:00x", "2026-01-01T00:00:00.", "9999-12-31", "0000-01-01",
                           "now", "1e9", "99999999999999999999", "999999999999w", "1767225600."}) {
    CAPTURE(text);
    CHECK(read(text) == "none");
  }
}

TEST_CASE("any number in a log becomes some moment") {
  CHECK(moment_text(moment_of(-1)) == "1970-01-01T00:00:00.000Z");
  CHECK(moment_text(moment_of(std::numeric_limits<double>::quiet_NaN())) ==
        "1970-01-01T00:00:00.000Z");
  CHECK(moment_text(moment_of(1e300)).substr(0, 4) == "2262");
}

}  // namespace leash::insight
