#include "insight/log_event.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "insight/printable.h"

namespace leash::insight {
namespace {

constexpr std::size_t kMaxShown = 300;  // code points of a URL, reason or value

// Fields that bear on the log itself, not on what happened.
constexpr std::array<std::string_view, 5> kOwnFields = {"ts", "event", "seq", "chain", "id"};

std::string text_of(const audit::LineView& line, std::string_view key) {
  return line.text(key).value_or(std::string());
}

std::string shown(std::string_view text) { return shortened(printable(text), kMaxShown); }

std::string_view colour_of(std::string_view event) {
  if (event == "allowed") return "\x1b[32m";
  if (event == "blocked") return "\x1b[1;31m";
  if (event == "error" || event == "policy_error") return "\x1b[33m";
  if (event == "request" || event == "connect_allowed" || event == "tunnel_closed" ||
      event == "websocket_closed" || event == "websocket_message" || event == "checkpoint") {
    return "\x1b[2m";
  }
  return "\x1b[36m";
}

std::string subject(const LogEvent& event) {
  if (!event.url.empty()) {
    return (event.method.empty() ? "" : shown(event.method) + " ") + shown(event.url);
  }
  if (!event.host.empty()) {
    std::string text = shown(event.host);
    if (text.find(':') != std::string::npos) text = "[" + text + "]";
    if (event.port) text += ":" + std::to_string(*event.port);
    return text;
  }
  return shortened(printable(details(event)), 1000);
}

}  // namespace

std::string details(const LogEvent& event) {
  std::string text;
  for (const auto& [key, value] : event.others) {
    if (!text.empty()) text += ' ';
    text.append(key).append("=").append(value);
  }
  return text;
}

std::uint64_t LogEvent::transferred() const {
  if (!bytes_up && !bytes_down) return bytes;
  return bytes_up.value_or(0) + bytes_down.value_or(0);
}

std::optional<LogEvent> read_event(std::string_view line) {
  const auto view = audit::LineView::parse(line);
  if (!view) return std::nullopt;
  auto word = view->text("event");
  if (!word) return std::nullopt;
  LogEvent event;
  event.event = std::move(*word);
  event.ts = view->number("ts");
  event.time = moment_of(event.ts.value_or(0));
  event.client = text_of(*view, "client");
  event.agent = text_of(*view, "agent");
  event.host = text_of(*view, "host");
  event.port = view->integer("port");
  event.method = text_of(*view, "method");
  event.url = text_of(*view, "url");
  event.reason = text_of(*view, "reason");
  event.status = view->integer("status");
  event.bytes = view->integer("bytes").value_or(0);
  event.bytes_up = view->integer("bytes_up");
  event.bytes_down = view->integer("bytes_down");
  event.ms = view->number("ms");
  event.would_block = text_of(*view, "audit") == "would_block_in_enforce";
  event.sni = text_of(*view, "sni");
  event.addr = text_of(*view, "addr");
  event.rule = text_of(*view, "rule");
  event.tls = text_of(*view, "tls");
  event.names = text_of(*view, "names");
  event.requests = view->integer("requests");
  event.id = text_of(*view, "id");
  event.seq = view->integer("seq");
  if (!event.host.empty()) return event;
  for (const auto& [key, value] : view->fields()) {
    if (std::find(kOwnFields.begin(), kOwnFields.end(), key) != kOwnFields.end()) continue;
    event.others.emplace_back(key, audit::unescape(value).value_or(std::string(value)));
  }
  return event;
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string event_heading() {
  return fmt::format("{:<24}  {:<15}  {:<15}  {}", "TIME", "EVENT", "CLIENT", "REQUEST");
}

std::string event_row(const LogEvent& event, Colours colours) {
  const bool is_coloured = colours == Colours::kOn;
  std::string row = event.ts ? moment_text(event.time) : std::string(24, '-');
  row += "  ";
  if (is_coloured) row += colour_of(event.event);
  row += fmt::format("{:<15}", shown(event.event));
  if (is_coloured) row += "\x1b[0m";
  row += fmt::format("  {:<15}  ", event.client.empty() ? "-" : shown(event.client));
  row += subject(event);
  if (event.status) row += fmt::format("  {}", *event.status);
  if (const std::uint64_t bytes = event.transferred(); bytes > 0) row += "  " + bytes_text(bytes);
  if (event.ms) row += fmt::format("  {:.0f} ms", *event.ms);
  if (!event.reason.empty() && !event.host.empty()) row += "  " + shown(event.reason);
  if (event.would_block) row += "  would_block_in_enforce";
  if (!event.agent.empty() && event.agent != event.client) row += "  agent " + shown(event.agent);
  if (!event.tls.empty()) row += "  tls " + shown(event.tls);
  return row;
}

}  // namespace leash::insight
