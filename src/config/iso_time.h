// Points in time as operators write them.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace leash::config {

// ISO 8601: "2026-12-31" (midnight UTC), or "2026-12-31T23:59[:59[.123]]" with "Z" or an offset
// such as "+02:00"; a blank may stand for the "T". A time of day without a zone, a date that does
// not exist and years before 1970 are nullopt. Later than the clock can hold is the clock's last
// moment.
[[nodiscard]] std::optional<std::chrono::system_clock::time_point> parse_iso_time(
    std::string_view text);

}  // namespace leash::config
