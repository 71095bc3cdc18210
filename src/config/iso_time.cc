#include "config/iso_time.h"

#include "base/text.h"

namespace leash::config {
namespace {

// Takes exactly `digits` digits from the front of `rest`.
std::optional<int> take_number(std::string_view& rest, std::size_t digits) {
  if (rest.size() < digits) return std::nullopt;
  const auto value = base::parse_decimal(rest.substr(0, digits));
  if (!value) return std::nullopt;
  rest.remove_prefix(digits);
  return static_cast<int>(*value);
}

bool take(std::string_view& rest, char c) {
  if (rest.empty() || rest.front() != c) return false;
  rest.remove_prefix(1);
  return true;
}

std::optional<std::chrono::seconds> take_zone(std::string_view& rest) {
  using std::chrono::hours;
  using std::chrono::minutes;
  if (take(rest, 'Z') || take(rest, 'z')) return std::chrono::seconds(0);
  const bool is_east = take(rest, '+');
  if (!is_east && !take(rest, '-')) return std::nullopt;
  const auto hour = take_number(rest, 2);
  if (!hour || *hour > 23) return std::nullopt;
  take(rest, ':');
  const auto minute = take_number(rest, 2);
  if (!minute || *minute > 59) return std::nullopt;
  const std::chrono::seconds offset = hours(*hour) + minutes(*minute);
  return is_east ? offset : -offset;
}

std::optional<std::chrono::sys_days> take_date(std::string_view& rest) {
  const auto year = take_number(rest, 4);
  if (!year || !take(rest, '-')) return std::nullopt;
  const auto month = take_number(rest, 2);
  if (!month || !take(rest, '-')) return std::nullopt;
  const auto day = take_number(rest, 2);
  if (!day || *year < 1970) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year{*year},
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date);
}

// Hours, minutes, seconds and a fraction, which is dropped.
std::optional<std::chrono::seconds> take_time_of_day(std::string_view& rest) {
  const auto hour = take_number(rest, 2);
  if (!hour || *hour > 23 || !take(rest, ':')) return std::nullopt;
  const auto minute = take_number(rest, 2);
  if (!minute || *minute > 59) return std::nullopt;
  int second = 0;
  if (take(rest, ':')) {
    const auto value = take_number(rest, 2);
    if (!value || *value > 59) return std::nullopt;
    second = *value;
    if (take(rest, '.')) {
      std::size_t digits = 0;
      while (take_number(rest, 1)) ++digits;
      if (digits == 0) return std::nullopt;
    }
  }
  return std::chrono::hours(*hour) + std::chrono::minutes(*minute) + std::chrono::seconds(second);
}

}  // namespace

std::optional<std::chrono::system_clock::time_point> parse_iso_time(std::string_view text) {
  using Clock = std::chrono::system_clock;
  const auto date = take_date(text);
  if (!date) return std::nullopt;
  std::chrono::sys_seconds moment(*date);
  if (!text.empty()) {
    if (!take(text, 'T') && !take(text, 't') && !take(text, ' ')) return std::nullopt;
    const auto time = take_time_of_day(text);
    if (!time) return std::nullopt;
    const auto zone = take_zone(text);
    if (!zone || !text.empty()) return std::nullopt;
    moment += *time - *zone;
  }
  const auto last = std::chrono::floor<std::chrono::seconds>(Clock::time_point::max());
  if (moment > last) return Clock::time_point::max();
  return Clock::time_point(moment);
}

}  // namespace leash::config
