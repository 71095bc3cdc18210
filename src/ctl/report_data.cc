#include "ctl/report_data.h"

namespace leash::ctl {
namespace {

constexpr std::size_t kLongestName = 1024;
constexpr std::size_t kLongestText = 256;
constexpr char kPartEnd = '\0';

std::string place_of(const insight::LogEvent& event) {
  std::string out = event.host.find(':') == std::string::npos ? event.host : "[" + event.host + "]";
  if (event.port) out += ":" + std::to_string(*event.port);
  return out;
}

// Queries hold what a report should not: they stay in the log.
std::string sample_of(const insight::LogEvent& event) {
  if (event.url.empty()) return "CONNECT " + place_of(event);
  const auto end = event.url.find_first_of("?#");
  std::string out = event.method + " " + event.url.substr(0, end);
  if (end != std::string::npos) out += "?...";
  return out.substr(0, kLongestText);
}

void see(Tally& tally, const insight::LogEvent& event, const Verdicts& verdicts) {
  tally.verdicts.add(verdicts);
  if (event.ts) {
    tally.first = std::min(tally.first, event.time);
    tally.last = std::max(tally.last, event.time);
  }
}

void see_sample(Tally& tally, const insight::LogEvent& event, const std::string& detail) {
  tally.sample = sample_of(event);
  tally.detail = detail.substr(0, kLongestText);
}

}  // namespace

std::string joined_key(const std::vector<std::string>& parts) {
  std::string out;
  for (std::string part : parts) {
    std::erase(part, kPartEnd);
    out += part.substr(0, kLongestName / parts.size() - 1);
    out += kPartEnd;
  }
  return out;
}

std::vector<std::string> parts_of(const std::string& key) {
  std::vector<std::string> out;
  std::size_t begin = 0;
  for (std::size_t end = key.find(kPartEnd); end != std::string::npos;
       end = key.find(kPartEnd, begin)) {
    out.push_back(key.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

Tally& Tallies::row(const std::string& name) {
  const std::string key = name.substr(0, kLongestName);
  if (rows_.size() >= most_ && !rows_.contains(key)) return others_;
  return rows_[key];
}

void ReportData::add(const insight::LogEvent& event) {
  if (event.ts) {
    first = std::min(first, event.time);
    last = std::max(last, event.time);
  }
  if (event.event == "allowed" || event.event == "blocked" || event.event == "error") {
    add_outcome(event);
    add_bytes(event);
  } else if (event.event == "websocket_closed") {
    add_bytes(event);
  } else if (event.event == "tunnel_closed" && event.tls == "splice") {
    ++tunnels;
    add_bytes(event);
  } else if (event.event == "mode_change" || event.event == "policy_change" ||
             event.event == "policy_error" || event.event == "start" || event.event == "stop") {
    add_change(event);
  }
}

void ReportData::add_outcome(const insight::LogEvent& event) {
  Verdicts verdicts;
  if (event.event == "blocked") {
    verdicts.refused = 1;
  } else if (event.event == "error") {
    verdicts.errors = 1;
  } else if (event.would_block) {
    verdicts.would_block = 1;
  } else {
    verdicts.passed = 1;
  }
  see(total, event, verdicts);
  if (event.ts) timeline.add(event.time, verdicts);
  if (!event.host.empty()) see(hosts.row(event.host), event, verdicts);
  const std::string& agent = event.agent.empty() ? event.client : event.agent;
  if (!agent.empty()) see(agents.row(agent), event, verdicts);
  if (verdicts.refused > 0) {
    Tally& row = refusals.row(joined_key({place_of(event), event.reason}));
    see(row, event, verdicts);
    see_sample(row, event, event.rule);
  } else if (verdicts.would_block > 0) {
    Tally& row = would_be_refused.row(joined_key({place_of(event), event.method}));
    see(row, event, verdicts);
    see_sample(row, event, {});
  } else if (verdicts.errors > 0) {
    const auto colon = event.reason.find(": ");
    Tally& row = errors.row(event.reason.substr(0, colon));
    see(row, event, verdicts);
    see_sample(row, event, colon == std::string::npos ? "" : event.reason.substr(colon + 2));
    if (event.host.empty()) row.sample = "(no request)";
  }
}

void ReportData::add_bytes(const insight::LogEvent& event) {
  const std::uint64_t out = event.bytes_up.value_or(0);
  const std::uint64_t in = event.bytes_down.value_or(event.bytes);
  if (out + in == 0) return;
  const auto add_to = [&](Tally& tally) {
    tally.bytes_out += out;
    tally.bytes_in += in;
  };
  add_to(total);
  if (!event.host.empty()) add_to(hosts.row(event.host));
  const std::string& agent = event.agent.empty() ? event.client : event.agent;
  if (!agent.empty()) add_to(agents.row(agent));
}

void ReportData::add_change(const insight::LogEvent& event) {
  for (const auto& [key, value] : event.others) {
    if (key == "mode") mode = value.substr(0, 32);
  }
  changes.push_back({event.time, event.event, insight::details(event).substr(0, kLongestText)});
  if (changes.size() > kMostChanges) {
    changes.pop_front();
    ++changes_left_out;
  }
}

}  // namespace leash::ctl
