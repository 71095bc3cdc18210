#include "insight/moment.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace leash::insight {
namespace {

using std::chrono::days;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Takes exactly `count` digits off the front.
std::optional<int> take_digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  const auto value = base::parse_decimal(text.substr(0, count));
  if (!value) return std::nullopt;
  text.remove_prefix(count);
  return static_cast<int>(*value);
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::chrono::sys_days> take_date(std::string_view& text) {
  const auto year = take_digits(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  // What a system_clock of nanoseconds can hold.
  if (!date.ok() || *year < 1970 || *year > 2261) return std::nullopt;
  return std::chrono::sys_days(date);
}

// "hh:mm", then ":ss", then ".fff" to the millisecond.
std::optional<milliseconds> take_time(std::string_view& text) {
  const auto hour = take_digits(text, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || *minute > 59) return std::nullopt;
  milliseconds time = std::chrono::hours(*hour) + std::chrono::minutes(*minute);
  if (!take(text, ':')) return time;
  const auto second = take_digits(text, 2);
  if (!second || *second > 59) return std::nullopt;
  time += seconds(*second);
  if (!take(text, '.')) return time;
  int scale = 100;
  bool has_digit = false;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    time += milliseconds((text.front() - '0') * scale);
    scale /= 10;
    has_digit = true;
    text.remove_prefix(1);
  }
  if (!has_digit) return std::nullopt;
  return time;
}

std::optional<std::chrono::minutes> take_offset(std::string_view& text) {
  if (text.empty() || take(text, 'Z') || take(text, 'z')) return std::chrono::minutes(0);
  const bool is_east = text.front() == '+';
  if (!is_east && text.front() != '-') return std::nullopt;
  text.remove_prefix(1);
  const auto hour = take_digits(text, 2);
  if (!hour || *hour > 23) return std::nullopt;
  take(text, ':');
  const auto minute = take_digits(text, 2);
  if (!minute || *minute > 59) return std::nullopt;
  const auto offset = std::chrono::hours(*hour) + std::chrono::minutes(*minute);
  return is_east ? offset : -offset;
}

std::optional<Moment> parse_iso(std::string_view text) {
  const auto date = take_date(text);
  if (!date) return std::nullopt;
  if (text.empty()) return Moment(*date);
  if (!take(text, 'T') && !take(text, 't') && !take(text, ' ')) return std::nullopt;
  const auto time = take_time(text);
  if (!time) return std::nullopt;
  const auto offset = take_offset(text);
  if (!offset || !text.empty()) return std::nullopt;
  return Moment(*date) + *time - *offset;
}

std::optional<Moment> parse_unix(std::string_view text) {
  const auto dot = text.find('.');
  const auto whole = base::parse_decimal(text.substr(0, dot), 253'402'300'799);
  if (!whole) return std::nullopt;
  double value = static_cast<double>(*whole);
  if (dot != std::string_view::npos) {
    const std::string_view digits = text.substr(dot + 1, 9);
    const auto fraction = base::parse_decimal(digits);
    if (!fraction || text.size() - dot - 1 > 9) return std::nullopt;
    value += static_cast<double>(*fraction) / std::pow(10.0, static_cast<double>(digits.size()));
  }
  return moment_of(value);
}

}  // namespace

std::optional<seconds> parse_span(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  std::int64_t unit = 0;
  switch (text.back()) {
    case 's':
      unit = 1;
      break;
    case 'm':
      unit = 60;
      break;
    case 'h':
      unit = 3'600;
      break;
    case 'd':
      unit = 86'400;
      break;
    case 'w':
      unit = 604'800;
      break;
    default:
      return std::nullopt;
  }
  constexpr std::uint64_t kTenYears = 315'576'000;
  const auto count = base::parse_decimal(text.substr(0, text.size() - 1),
                                         kTenYears / static_cast<std::uint64_t>(unit));
  if (!count) return std::nullopt;
  return seconds(static_cast<std::int64_t>(*count) * unit);
}

std::optional<Moment> parse_moment(std::string_view text, Moment now) {
  if (const auto span = parse_span(text)) return now - *span;
  if (const auto moment = parse_unix(text)) return moment;
  return parse_iso(text);
}

std::string second_text(Moment moment) {
  const auto day = std::chrono::floor<days>(moment);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(std::chrono::floor<seconds>(moment - day));
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count());
}

std::string moment_text(Moment moment) {
  const auto part = std::chrono::floor<milliseconds>(moment - std::chrono::floor<seconds>(moment));
  std::string text = second_text(moment);
  text.pop_back();
  return text + fmt::format(".{:03}Z", part.count());
}

Moment moment_of(double unix_seconds) {
  // Also catches NaN, which no comparison holds for.
  if (!(unix_seconds > 0)) return Moment{};
  // Nanoseconds since 1970 end in 2262. The fraction is converted by itself: a double that counts
  // nanoseconds is off by hundreds of them.
  constexpr double kMaxMoment = 9'223'372'035.0;
  const double whole = std::floor(std::min(unix_seconds, kMaxMoment));
  const double fraction = std::min(unix_seconds, kMaxMoment) - whole;
  return Moment(seconds(static_cast<std::int64_t>(whole))) +
         std::chrono::round<Moment::duration>(std::chrono::duration<double>(fraction));
}

}  // namespace leash::insight
