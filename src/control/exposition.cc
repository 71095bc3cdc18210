#include "control/exposition.h"

#include <utility>

namespace leash::control {
namespace {

MetricFamily single(std::string name, std::string help, MetricType type, double value) {
  return {std::move(name), std::move(help), type, {Sample{value, {}}}};
}

double read(const proxy::Metrics::Counter& counter) {
  return static_cast<double>(counter.load(std::memory_order_relaxed));
}
double read(const proxy::Metrics::Gauge& gauge) {
  return static_cast<double>(gauge.load(std::memory_order_relaxed));
}

}  // namespace

std::vector<MetricFamily> metric_families(proxy::Server& server) {
  const proxy::Metrics& m = server.metrics();
  const auto log = server.log().counts();
  const auto snapshot = server.policy().current().snapshot;
  constexpr auto kCounter = MetricType::kCounter;
  constexpr auto kGauge = MetricType::kGauge;
  std::vector<MetricFamily> out;
  out.push_back(single("leash_connections_total", "Accepted client connections", kCounter,
                       read(m.connections)));
  out.push_back(single("leash_connections_open", "Open client connections", kGauge,
                       read(m.connections_open)));
  out.push_back(single("leash_tunnels_open", "Open CONNECT tunnels", kGauge, read(m.tunnels_open)));
  out.push_back(
      single("leash_requests_total", "Requests that were decided", kCounter, read(m.requests)));
  out.push_back({"leash_outcomes_total",
                 "Outcomes by event, CONNECT included",
                 kCounter,
                 {Sample{read(m.allowed), {{"event", "allowed"}}},
                  Sample{read(m.blocked), {{"event", "blocked"}}},
                  Sample{read(m.errors), {{"event", "error"}}}}});
  out.push_back({"leash_bytes_total",
                 "Body bytes carried",
                 kCounter,
                 {Sample{read(m.bytes_up), {{"direction", "up"}}},
                  Sample{read(m.bytes_down), {{"direction", "down"}}}}});
  out.push_back(single("leash_origin_connections_total", "Connections made to origins", kCounter,
                       read(m.origin_connections)));
  out.push_back(single("leash_origin_reused_total", "Requests on a pooled origin connection",
                       kCounter, read(m.origin_reused)));
  out.push_back(single("leash_client_handshakes_total", "TLS handshakes begun by clients", kCounter,
                       read(m.client_handshakes)));
  out.push_back(single("leash_client_resumed_total", "TLS sessions that clients resumed", kCounter,
                       read(m.client_resumed)));
  out.push_back(
      {"leash_limits_total",
       "How often a limit has bitten",
       kCounter,
       {Sample{read(m.limit_connections), {{"limit", "connections"}}},
        Sample{read(m.limit_connections_per_client), {{"limit", "connections_per_client"}}},
        Sample{read(m.limit_head), {{"limit", "head"}}},
        Sample{read(m.limit_head_time), {{"limit", "head_time"}}},
        Sample{read(m.limit_handshake_time), {{"limit", "client_handshake_time"}}},
        Sample{read(m.limit_connect_time), {{"limit", "connect_time"}}},
        Sample{read(m.limit_h2), {{"limit", "http2"}}},
        Sample{read(m.limit_idle_time), {{"limit", "exchange_idle_time"}}}}});
  out.push_back(single("leash_policy_cuts_total", "Tunnels and exchanges cut by a policy change",
                       kCounter, read(m.policy_cuts)));
  out.push_back(single("leash_policy_generation", "Grows with each change of policy", kGauge,
                       static_cast<double>(snapshot->generation)));
  out.push_back({"leash_policy_mode",
                 "1 for the mode in force",
                 kGauge,
                 {Sample{1, {{"mode", std::string(policy::word(snapshot->mode))}}}}});
  out.push_back(single("leash_audit_lines_total", "Audit lines on record", kCounter,
                       static_cast<double>(log.lines)));
  out.push_back(single("leash_audit_bytes_total", "Bytes of audit lines on record", kCounter,
                       static_cast<double>(log.bytes)));
  out.push_back(single("leash_audit_refused_total",
                       "Requests refused since the log could not take them", kCounter,
                       static_cast<double>(log.refused)));
  out.push_back(single("leash_audit_lost_total",
                       "Outcome lines lost while the log could not be written", kCounter,
                       static_cast<double>(log.lost)));
  out.push_back(single("leash_audit_writable", "1 while the log can be written", kGauge,
                       server.log().is_writable() ? 1 : 0));
  return out;
}

std::vector<std::string> not_ready_reasons(const proxy::Server& server, Phase phase) {
  std::vector<std::string> reasons;
  if (phase == Phase::kStopping) reasons.emplace_back("stopping");
  if (!server.log().is_writable()) reasons.emplace_back("the audit log cannot be written");
  return reasons;
}

}  // namespace leash::control
