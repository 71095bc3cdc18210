#include "control/exposition.h"

#include <chrono>
#include <limits>
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

MetricFamily histogram(std::string name, std::string help, const proxy::Durations& durations) {
  const auto seconds = [](proxy::Durations::Time time) {
    return std::chrono::duration<double>(time).count();
  };
  Sample sample;
  std::uint64_t below = 0;
  for (std::size_t i = 0; i <= proxy::Durations::kBounds.size(); ++i) {
    below += durations.count(i);
    const bool is_last = i == proxy::Durations::kBounds.size();
    sample.buckets.push_back(
        {is_last ? std::numeric_limits<double>::infinity() : seconds(proxy::Durations::kBounds[i]),
         below});
  }
  sample.value = seconds(durations.total());
  return {std::move(name), std::move(help), MetricType::kHistogram, {std::move(sample)}};
}

// The places beside the file that audit lines go to; nothing where there are none.
void append_sinks(std::vector<MetricFamily>& out, const proxy::Server& server) {
  if (server.sinks().empty()) return;
  MetricFamily lines{
      "leash_audit_sink_lines_total", "Audit lines handed on", MetricType::kCounter, {}};
  MetricFamily lost{"leash_audit_sink_lost_total",
                    "Audit lines that a slow or dead sink did not get (they are in the file)",
                    MetricType::kCounter,
                    {}};
  MetricFamily peers{"leash_audit_sink_peers",
                     "Readers, or 1 while the syslog daemon is there",
                     MetricType::kGauge,
                     {}};
  for (const auto& sink : server.sinks()) {
    const auto counts = sink->counts();
    const std::vector<std::pair<std::string, std::string>> labels{
        {"sink", std::string(sink->name())}};
    lines.samples.push_back({static_cast<double>(counts.lines), labels});
    lost.samples.push_back({static_cast<double>(counts.lost), labels});
    peers.samples.push_back({static_cast<double>(counts.peers), labels});
  }
  out.push_back(std::move(lines));
  out.push_back(std::move(lost));
  out.push_back(std::move(peers));
}

}  // namespace

std::vector<MetricFamily> metric_families(proxy::Server& server, const Confinement& confinement) {
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
  out.push_back(single("leash_origin_reused_total",
                       "Requests on an origin connection that had carried another", kCounter,
                       read(m.origin_reused)));
  out.push_back(single("leash_origin_connections_open",
                       "Connections to origins, kept for later ones included", kGauge,
                       read(m.origin_connections_open)));
  out.push_back(histogram("leash_allowed_duration_seconds",
                          "From the head of an allowed request to its outcome", m.allowed_time));
  out.push_back(histogram("leash_intent_duration_seconds",
                          "From an intent to its acknowledgement: what the log adds to a request",
                          m.intent_time));
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
        Sample{read(m.limit_client_memory), {{"limit", "client_memory"}}},
        Sample{read(m.limit_origin_connections), {{"limit", "origin_connections"}}},
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
  out.push_back(single("leash_audit_queue_bytes", "Audit lines that are not in the file yet",
                       kGauge, static_cast<double>(log.queued_bytes)));
  out.push_back(single("leash_audit_writable", "1 while the log can be written", kGauge,
                       server.log().is_writable() ? 1 : 0));
  const signer::Counts& signer = server.signer_counts();
  out.push_back({"leash_leaves_total",
                 "Leaf certificates that were wanted and not at hand",
                 kCounter,
                 {Sample{static_cast<double>(signer.minted), {{"result", "minted"}}},
                  Sample{static_cast<double>(signer.failed), {{"result", "failed"}}}}});
  out.push_back(single("leash_leaf_cache_entries", "Leaf certificates at hand", kGauge,
                       static_cast<double>(server.leaves())));
  out.push_back(single("leash_signer_restarts_total", "How often the signer has died", kCounter,
                       static_cast<double>(signer.restarts)));
  out.push_back({"leash_sandbox",
                 "What is in force: the version of Landlock, 1 for seccomp",
                 kGauge,
                 {Sample{static_cast<double>(confinement.landlock), {{"part", "landlock"}}},
                  Sample{confinement.has_seccomp ? 1.0 : 0.0, {{"part", "seccomp"}}}}});
  append_sinks(out, server);
  return out;
}

std::vector<std::string> not_ready_reasons(const proxy::Server& server, Phase phase) {
  std::vector<std::string> reasons;
  if (phase == Phase::kStopping) reasons.emplace_back("stopping");
  if (!server.log().is_writable()) reasons.emplace_back("the audit log cannot be written");
  if (server.signer_counts().is_gone) reasons.emplace_back("the signer is gone");
  return reasons;
}

}  // namespace leash::control
