#include "console/row.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>

#include "audit/line_view.h"
#include "base/ip_address.h"
#include "base/text.h"
#include "insight/moment.h"
#include "policy/address_guard.h"

namespace leash::console {
namespace {

constexpr double kLatestSecond = 9e9;  // year 2255: what is later is no time of ours

std::string text_of(std::string_view raw) { return audit::unescape(raw).value_or(std::string()); }

template <class T>
std::optional<T> number_of(std::string_view raw) {
  T value{};
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
  if (error != std::errc() || end != raw.data() + raw.size()) return std::nullopt;
  return value;
}

std::uint16_t small_number(std::string_view raw) {
  const auto value = number_of<std::uint64_t>(raw);
  return value && *value <= 65'535 ? static_cast<std::uint16_t>(*value) : std::uint16_t{0};
}

// Fields that bear on the log itself, not on what happened.
bool is_own_field(std::string_view key) {
  constexpr std::array<std::string_view, 6> kOwn = {"ts", "event", "seq", "chain", "id", "run"};
  return std::find(kOwn.begin(), kOwn.end(), key) != kOwn.end();
}

constexpr std::size_t kMostDetail = 2'000;

std::string detail_of(const audit::LineView& view) {
  std::string out;
  for (const auto& [key, value] : view.fields()) {
    if (is_own_field(key) || out.size() > kMostDetail) continue;
    if (!out.empty()) out += ' ';
    out.append(key).append("=").append(audit::unescape(value).value_or(std::string(value)));
  }
  if (out.size() > kMostDetail) out.resize(kMostDetail);
  return out;
}

// Sorted by how often they come.
void take_field(Row& row, std::string_view key, std::string_view raw, std::uint64_t& log_seq) {
  if (key == "client") {
    row.client = text_of(raw);
  } else if (key == "host") {
    row.host = text_of(raw);
  } else if (key == "port") {
    row.port = small_number(raw);
  } else if (key == "id") {
    row.id = text_of(raw);
  } else if (key == "seq") {
    log_seq = number_of<std::uint64_t>(raw).value_or(0);
  } else if (key == "method") {
    row.method = text_of(raw);
  } else if (key == "url") {
    row.url = text_of(raw);
  } else if (key == "agent") {
    row.agent = text_of(raw);
  } else if (key == "rule") {
    row.rule = text_of(raw);
  } else if (key == "addr") {
    row.addr = text_of(raw);
  } else if (key == "status") {
    row.status = small_number(raw);
    row.flags |= kHasStatus;
  } else if (key == "ms") {
    row.ms = number_of<double>(raw);
  } else if (key == "bytes") {
    row.bytes = number_of<std::uint64_t>(raw);
  } else if (key == "bytes_up") {
    row.bytes_up = number_of<std::uint64_t>(raw);
  } else if (key == "bytes_down") {
    row.bytes_down = number_of<std::uint64_t>(raw);
  } else if (key == "reason") {
    row.reason = text_of(raw);
  } else if (key == "audit") {
    if (raw == "\"would_block_in_enforce\"") row.flags |= kWouldBlock;
  } else if (key == "tls") {
    if (raw == "\"splice\"") row.flags |= kSpliced;
  } else if (key == "names") {
    row.flags |= kNameMismatch;
  } else if (key == "requests") {
    row.requests = number_of<std::uint64_t>(raw);
  } else if (key == "req_truncated" || key == "res_truncated") {
    if (raw == "true") row.flags |= kTruncated;
  }
}

void take_hostless(Row& row, const audit::LineView& view) {
  if (row.kind == EventKind::kModeChange) {
    row.from = view.text("previous").value_or(std::string());
    row.to = view.text("mode").value_or(std::string());
  }
  row.reason = detail_of(view);
}

}  // namespace

std::optional<Row> read_row(std::string_view line, std::uint64_t& log_seq) {
  const auto view = audit::LineView::parse(line);
  if (!view) return std::nullopt;
  const auto event = view->text("event");
  if (!event) return std::nullopt;
  log_seq = 0;
  Row row;
  const auto kind = parse_event_kind(*event);
  row.kind = kind.value_or(EventKind::kOther);
  if (!kind) row.event = *event;
  for (const auto& [key, value] : view->fields()) take_field(row, key, value, log_seq);
  const double seconds = view->number("ts").value_or(0);
  if (std::isfinite(seconds) && seconds > 0 && seconds < kLatestSecond) {
    row.time_us = std::llround(seconds * 1e6);
  }
  if (row.host.empty()) {
    take_hostless(row, *view);
  } else if (is_local_place(row.host)) {
    row.flags |= kLocalPlace;
  }
  return row;
}

std::string time_text(std::int64_t time_us) {
  return insight::moment_text(insight::Moment(
      std::chrono::duration_cast<insight::Moment::duration>(std::chrono::microseconds(time_us))));
}

bool is_local_place(std::string_view host) {
  const std::string name = base::lower(host);
  if (const auto ip = base::IpAddress::parse(name)) {
    return policy::address_class(*ip) != "public";
  }
  constexpr std::array<std::string_view, 6> kNames = {"localhost", "local", "lan",
                                                      "internal",  "home",  "fritz.box"};
  return std::any_of(kNames.begin(), kNames.end(), [&name](std::string_view each) {
    if (name == each) return true;
    return each != "localhost" && name.size() > each.size() && name.ends_with(each) &&
           name[name.size() - each.size() - 1] == '.';
  });
}

namespace {

void write_text(JsonWriter& json, std::string_view key, std::string_view value) {
  if (!value.empty()) json.key(key).text(value);
}

void write_count(JsonWriter& json, std::string_view key,
                 const std::optional<std::uint64_t>& value) {
  if (value) json.key(key).number(*value);
}

}  // namespace

void write_row_members(JsonWriter& json, const Row& row) {
  json.key("seq").number(row.seq).key("ts").text(time_text(row.time_us));
  json.key("event").text(row.event_word());
  write_text(json, "id", row.id);
  write_text(json, "client", row.client);
  write_text(json, "agent", row.agent);
  write_text(json, "method", row.method);
  write_text(json, "url", row.url);
  write_text(json, "host", row.host);
  if (row.port != 0) json.key("port").number(std::uint64_t{row.port});
  if (row.has(kHasStatus)) json.key("status").number(std::uint64_t{row.status});
  write_count(json, "bytes", row.bytes);
  write_count(json, "bytes_up", row.bytes_up);
  write_count(json, "bytes_down", row.bytes_down);
  if (row.ms) json.key("ms").real(*row.ms);
  write_text(json, "reason", row.reason);
  if (row.kind == EventKind::kError) write_text(json, "error", row.reason);
  write_text(json, "rule", row.rule);
  write_text(json, "from", row.from);
  write_text(json, "to", row.to);
  write_text(json, "mode", row.to);
  if (row.has(kWouldBlock)) json.key("would_block").boolean(true);
  if (row.has(kSpliced) || row.has(kNameMismatch) || row.has(kTruncated)) {
    json.key("tags").begin_array();
    if (row.has(kSpliced)) json.text("spliced");
    if (row.has(kNameMismatch)) json.text("name_mismatch");
    if (row.has(kTruncated)) json.text("truncated");
    json.end_array();
  }
}

void write_row(JsonWriter& json, const Row& row) {
  json.begin_object();
  write_row_members(json, row);
  json.end_object();
}

}  // namespace leash::console
