#include "audit/syslog_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <iterator>

#include "audit/line_view.h"

namespace leash::audit {
namespace {

constexpr int kFacility = 13;
constexpr int kWarning = 4;
constexpr int kInformational = 6;
constexpr std::size_t kMaxHostname = 255;
constexpr std::size_t kMaxMsgId = 32;
constexpr std::string_view kNil = "-";

// PRINTUSASCII of RFC 5424 section 6.
std::string printable_word(std::string_view text, std::size_t most) {
  std::string out;
  for (const char c : text.substr(0, most)) out.push_back(c > ' ' && c < '\x7f' ? c : '?');
  return out.empty() ? std::string(kNil) : out;
}

// The text behind `key` near the beginning of the line, up to `end`.
std::string_view early_value(std::string_view line, std::string_view key, char end) {
  constexpr std::size_t kNear = 128;
  const std::string_view head = line.substr(0, kNear);
  const std::size_t at = head.find(key);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = head.substr(at + key.size());
  const std::size_t stop = rest.find(end);
  return stop == std::string_view::npos ? std::string_view{} : rest.substr(0, stop);
}

std::string timestamp(std::string_view unix_seconds) {
  const std::string text(unix_seconds);
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  constexpr double kMost = 253402300799.0;  // the year 9999
  if (text.empty() || *end != '\0' || !(value >= 0 && value < kMost)) return std::string(kNil);
  const auto millis = static_cast<long long>(std::floor(value * 1000));
  const auto seconds = static_cast<std::time_t>(millis / 1000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                     millis % 1000);
}

}  // namespace

SyslogFormat::SyslogFormat(std::string_view hostname, long pid)
    : source_(fmt::format(" {} leash {} ", printable_word(hostname, kMaxHostname), pid)) {}

std::string SyslogFormat::message(std::string_view line) const {
  const std::string event = printable_word(early_value(line, "\"event\": \"", '"'), kMaxMsgId);
  const bool is_warning = event == "blocked" || event == "error" || event == "gap";
  const int priority = kFacility * 8 + (is_warning ? kWarning : kInformational);
  return fmt::format("<{}>1 {}{}{} - {}", priority, timestamp(early_value(line, "{\"ts\": ", ',')),
                     source_, event, line);
}

std::optional<std::string> shorten_line(std::string_view line) {
  constexpr std::string_view kLeftOut[] = {"req_headers", "res_headers", "req_body", "res_body"};
  const auto view = LineView::parse(line);
  if (!view) return std::nullopt;
  std::string out = "{";
  for (const auto& [key, value] : view->fields()) {
    if (std::find(std::begin(kLeftOut), std::end(kLeftOut), key) != std::end(kLeftOut)) continue;
    fmt::format_to(std::back_inserter(out), "\"{}\": {}, ", key, value);
  }
  out.append("\"shortened\": true}");
  return out;
}

}  // namespace leash::audit
