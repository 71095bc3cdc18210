#include "console/row_filter.h"

#include <algorithm>
#include <chrono>

#include "base/text.h"
#include "config/setting_values.h"
#include "console/bad_request.h"
#include "console/search_text.h"
#include "insight/moment.h"

namespace leash::console {
namespace {

constexpr std::size_t kMostText = 512;
constexpr std::size_t kMostHosts = 200;

base::Result<std::optional<std::int64_t>> read_time(const Request& request, const char* name) {
  const auto text = request.parameter(name);
  if (!text || base::trim(*text).empty()) return std::optional<std::int64_t>();
  const auto moment = insight::parse_moment(base::trim(*text), std::chrono::system_clock::now());
  if (!moment) {
    return bad_request(std::string(name) +
                       ": not a time (2026-01-31T12:00:00Z, Unix seconds, or 15m, 2h, 7d ago)");
  }
  return std::chrono::duration_cast<std::chrono::microseconds>(moment->time_since_epoch()).count();
}

std::string parameter(const Request& request, const char* name) {
  return std::string(base::trim(request.parameter(name).value_or(std::string())));
}

bool is_set(const Request& request, const char* name) {
  const auto text = request.parameter(name);
  return text && (*text == "1" || *text == "true");
}

base::Result<std::vector<std::string>> read_hosts(const Request& request, const char* name) {
  std::vector<std::string> out;
  std::string text = parameter(request, name);
  std::replace(text.begin(), text.end(), ',', ' ');
  for (std::string& word : config::split_words(text)) {
    std::string host = base::lower(word);
    if (host.starts_with("*.")) host.erase(0, 2);
    if (!host.empty()) out.push_back(std::move(host));
  }
  if (out.size() > kMostHosts) return bad_request(std::string(name) + ": more than 200 hosts");
  return out;
}

base::Result<EventMask> read_events(const std::string& text) {
  if (text.empty()) return kShownEvents;
  EventMask mask = 0;
  for (const std::string& word : config::split_words(text)) {
    if (word == "all") return kAllEvents;
    const auto kind = parse_event_kind(word);
    if (!kind) return bad_request("event: no such event: " + word.substr(0, 40));
    mask |= mask_of(*kind);
  }
  return mask;
}

// "404", "4xx", "400-499", a list of these.
base::Result<std::vector<std::pair<std::uint16_t, std::uint16_t>>> read_statuses(
    const std::string& text) {
  std::vector<std::pair<std::uint16_t, std::uint16_t>> out;
  const auto number = [](std::string_view digits) -> std::optional<std::uint16_t> {
    const auto value = base::parse_decimal(digits, 999);
    return value ? std::optional(static_cast<std::uint16_t>(*value)) : std::nullopt;
  };
  for (const std::string& word : config::split_words(text)) {
    std::optional<std::uint16_t> from;
    std::optional<std::uint16_t> to;
    if (word.size() == 3 && base::lower(word).ends_with("xx")) {
      from = number(word.substr(0, 1) + "00");
      to = number(word.substr(0, 1) + "99");
    } else {
      const auto dash = word.find('-');
      from = number(word.substr(0, dash));
      to = dash == std::string::npos ? from : number(word.substr(dash + 1));
    }
    if (!from || !to) return bad_request("status: write 404, 4xx or 400-499");
    out.emplace_back(*from, *to);
  }
  return out;
}

}  // namespace

base::Result<RowFilter> RowFilter::parse(const Request& request) {
  RowFilter out;
  auto after = read_time(request, "after");
  if (!after) return tl::unexpected(after.error());
  out.after_us = *after;
  auto before = read_time(request, "before");
  if (!before) return tl::unexpected(before.error());
  out.before_us = *before;
  out.text = search_form(parameter(request, "q"));
  if (out.text.size() > kMostText) return bad_request("q: longer than 512 bytes");
  auto hosts = read_hosts(request, "host");
  if (!hosts) return tl::unexpected(hosts.error());
  out.hosts = std::move(*hosts);
  auto excluded = read_hosts(request, "exclude_hosts");
  if (!excluded) return tl::unexpected(excluded.error());
  out.excluded_hosts = std::move(*excluded);
  const std::string client = parameter(request, "client");
  const auto network = base::Network::parse(client);
  if (network && client.find('/') != std::string::npos) {
    out.client_network = *network;
  } else {
    out.client = base::lower(client);
  }
  out.agent = parameter(request, "agent");
  auto events = read_events(parameter(request, "event"));
  if (!events) return tl::unexpected(events.error());
  out.events = *events;
  auto statuses = read_statuses(parameter(request, "status"));
  if (!statuses) return tl::unexpected(statuses.error());
  out.statuses = std::move(*statuses);
  out.only_would_block = is_set(request, "would_block");
  out.only_internet = is_set(request, "internet_only");
  return out;
}

bool RowFilter::takes_host(std::string_view host) const {
  const std::string name = base::lower(host);
  if (std::find(excluded_hosts.begin(), excluded_hosts.end(), name) != excluded_hosts.end()) {
    return false;
  }
  return hosts.empty() || std::any_of(hosts.begin(), hosts.end(), [&name](const auto& wanted) {
           if (name.size() < wanted.size() || !name.ends_with(wanted)) return false;
           return name.size() == wanted.size() || name[name.size() - wanted.size() - 1] == '.';
         });
}

bool RowFilter::takes_client(std::string_view name) const {
  if (client_network) {
    const auto address = base::IpAddress::parse(name);
    return address && client_network->contains(*address);
  }
  return client.empty() || base::lower(name).find(client) != std::string::npos;
}

bool RowFilter::takes_status(std::uint16_t status, bool has_status) const {
  if (statuses.empty()) return true;
  return has_status && std::any_of(statuses.begin(), statuses.end(), [status](const auto& range) {
           return status >= range.first && status <= range.second;
         });
}

bool RowFilter::takes(const Row& row) const {
  if ((events & mask_of(row.kind)) == 0 || !takes_time(row.time_us)) return false;
  if (only_would_block && !row.has(kWouldBlock)) return false;
  if (only_internet && row.has(kLocalPlace)) return false;
  if (!takes_status(row.status, row.has(kHasStatus))) return false;
  if (!takes_host(row.host) || !takes_client(row.client)) return false;
  if (!agent.empty() && row.agent != agent) return false;
  if (text.empty()) return true;
  for (const std::string* each : {&row.url, &row.host, &row.reason, &row.agent, &row.client}) {
    if (search_form(*each).find(text) != std::string::npos) return true;
  }
  return false;
}

bool RowFilter::is_plain() const {
  return text.empty() && hosts.empty() && excluded_hosts.empty() && client.empty() &&
         !client_network && agent.empty() && events == kShownEvents && statuses.empty() &&
         !only_would_block && !only_internet;
}

}  // namespace leash::console
