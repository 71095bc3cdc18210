#include "ctl/event_query.h"

#include <algorithm>
#include <array>

#include "audit/log_reader.h"
#include "audit/record.h"
#include "base/text.h"
#include "ctl/log_paths.h"

namespace leash::ctl {
namespace {

using audit::Event;

constexpr std::array kEvents = {
    Event::kConnectAllowed, Event::kRequest,      Event::kAllowed,          Event::kBlocked,
    Event::kError,          Event::kTunnelClosed, Event::kWebsocketMessage, Event::kWebsocketClosed,
    Event::kModeChange,     Event::kPolicyChange, Event::kPolicyError,      Event::kStart,
    Event::kStop,           Event::kCheckpoint};

tl::unexpected<base::Error> refuse(std::string detail) {
  return base::fail(base::Code::kBadConfig, base::Fault::kClient, std::move(detail));
}

bool is_known_event(std::string_view word) {
  return std::any_of(kEvents.begin(), kEvents.end(),
                     [word](Event event) { return audit::word(event) == word; });
}

// "x.com" covers "a.x.com" as it does in a policy file.
bool covers(std::string_view host, std::string_view name) {
  if (name.size() < host.size() || !name.ends_with(host)) return false;
  return name.size() == host.size() || name[name.size() - host.size() - 1] == '.';
}

base::Result<std::optional<insight::Moment>> read_moment(const char* option,
                                                         const std::string& text,
                                                         insight::Moment now) {
  if (text.empty()) return std::optional<insight::Moment>{};
  const auto moment = insight::parse_moment(text, now);
  if (!moment) {
    return refuse(std::string(option) + ": not a time: " + text +
                  " (2026-01-31T12:00:00Z, Unix seconds, or 15m, 2h, 7d ago)");
  }
  return moment;
}

}  // namespace

base::Result<EventQuery> EventQuery::parse(const EventFilter& filter, insight::Moment now) {
  EventQuery query;
  auto since = read_moment("--since", filter.since, now);
  if (!since) return tl::unexpected(since.error());
  query.since_ = *since;
  auto until = read_moment("--until", filter.until, now);
  if (!until) return tl::unexpected(until.error());
  query.until_ = *until;
  if (!filter.host.empty()) {
    std::string_view text = filter.host;
    if (text.starts_with("*.")) text.remove_prefix(2);
    const auto host = base::Host::parse_lenient(text);
    if (!host) return refuse("--host: " + host.error().text());
    query.host_ = host->text();
  }
  if (!filter.event.empty() && !is_known_event(filter.event)) {
    std::string words;
    for (const Event event : kEvents) words += " " + std::string(audit::word(event));
    return refuse("--event: no such event: " + filter.event + " (one of:" + words + ")");
  }
  query.event_ = filter.event;
  if (!filter.client.empty()) {
    const auto client = base::Network::parse(filter.client);
    // Who comes by a unix socket has a name instead of an address.
    if (client) {
      query.client_ = *client;
    } else if (filter.client.starts_with("unix:")) {
      query.client_name_ = filter.client;
    } else {
      return refuse("--client: not an address, network or unix:UID: " + filter.client);
    }
  }
  query.agent_ = filter.agent;
  if (filter.status) query.status_ = static_cast<std::uint64_t>(*filter.status);
  query.would_block_ = filter.would_block;
  return query;
}

bool EventQuery::matches(const insight::LogEvent& event) const {
  if ((since_ || until_) && !event.ts) return false;
  if (since_ && event.time < *since_) return false;
  if (until_ && event.time >= *until_) return false;
  if (!event_.empty() && event.event != event_) return false;
  if (!agent_.empty() && event.agent != agent_) return false;
  if (status_ && event.status != status_) return false;
  if (would_block_ && !event.would_block) return false;
  if (!client_name_.empty() && event.client != client_name_) return false;
  if (client_) {
    const auto address = base::IpAddress::parse(event.client);
    if (!address || !client_->contains(*address)) return false;
  }
  return host_.empty() || covers(host_, base::lower(event.host));
}

base::Result<void> read_lines(const std::string& path,
                              const std::function<void(std::string_view)>& on_line) {
  auto reader = audit::LogReader::open(path);
  if (!reader) return tl::unexpected(reader.error());
  for (;;) {
    const auto line = reader->next();
    if (!line) return tl::unexpected(line.error());
    if (!*line) return {};
    on_line((*line)->text);
  }
}

int for_each_event(
    const Context& context, const LogChoice& logs, const EventQuery& query,
    const std::function<void(const insight::LogEvent&, std::string_view line)>& on_event) {
  const auto paths = log_paths(context, logs);
  if (!paths) return context.fail(paths.error());
  std::uint64_t strange = 0;
  const auto on_line = [&](std::string_view line) {
    const auto event = insight::read_event(line);
    if (!event) {
      if (!base::trim(line).empty()) ++strange;
    } else if (query.matches(*event)) {
      on_event(*event, line);
    }
  };
  int code = kDone;
  for (const std::string& path : *paths) {
    if (const auto done = read_lines(path, on_line); !done) code = context.fail(done.error());
  }
  if (strange > 0) {
    context.warn(std::to_string(strange) + " lines are no events and were left out");
  }
  return code;
}

}  // namespace leash::ctl
