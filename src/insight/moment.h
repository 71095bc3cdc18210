// Points in time as operators write and read them.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace leash::insight {

using Moment = std::chrono::system_clock::time_point;

// "90s", "15m", "2h", "7d", "1w": a whole number and a unit, at most ten years. nullopt for
// everything else.
[[nodiscard]] std::optional<std::chrono::seconds> parse_span(std::string_view text);

// A span (that long before `now`), Unix seconds with or without a fraction, or ISO 8601: a date, a
// date and a time, with "Z" or an offset; UTC without one. nullopt for everything else.
[[nodiscard]] std::optional<Moment> parse_moment(std::string_view text, Moment now);

// "2026-01-31T12:00:00.123Z"
[[nodiscard]] std::string moment_text(Moment moment);
// "2026-01-31T12:00:00Z"
[[nodiscard]] std::string second_text(Moment moment);
// Unix seconds as the log writes them. Out of range (a foreign log may hold any number): the
// nearest that fits.
[[nodiscard]] Moment moment_of(double unix_seconds);

}  // namespace leash::insight
