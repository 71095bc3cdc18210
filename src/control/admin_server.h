// The admin endpoint: health, readiness and metrics over HTTP, for probes and Prometheus.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/ip_address.h"
#include "net/loop.h"

namespace leash::control {

enum class MetricType { kCounter, kGauge, kHistogram };

struct Bucket {
  double bound = 0;         // in the family's unit
  std::uint64_t count = 0;  // of this one and all below
};

struct Sample {
  double value = 0;                                         // of a histogram: the sum
  std::vector<std::pair<std::string, std::string>> labels;  // name, value
  std::vector<Bucket> buckets;  // of a histogram; the last one's bound is infinite
};

struct MetricFamily {
  std::string name;  // [a-zA-Z_:][a-zA-Z0-9_:]*
  std::string help;
  MetricType type = MetricType::kCounter;
  std::vector<Sample> samples;
};

struct AdminCallbacks {
  // Why this process should get no traffic; empty when it is ready. For people, holds no secret.
  std::function<std::vector<std::string>()> not_ready_reasons;
  std::function<std::vector<MetricFamily>()> metrics;
};

// GET /healthz: 200 "ok" while the loop turns. GET /readyz: 200 or 503 with {"ready": ...,
// "reasons": [...]}. GET /metrics: the Prometheus text format. Another path is 404, another method
// 405, both without an echo. On TCP the Host must be an IP literal or localhost (421 otherwise), so
// that a page in a browser cannot reach this by a name that it made resolve to us. Heads up to 8
// KiB, no bodies, 5 s of silence on a connection.
class AdminServer {
 public:
  // `where`: "127.0.0.1:8081", "[::1]:8081", "unix:/path" (mode 0660), "off". The callbacks run on
  // the loop's thread and must not wait. `held`: listens already; used where `where` is its
  // address, whatever its port where that is 0. Errors: bad_config (an address that is none), io
  // (cannot listen).
  [[nodiscard]] static base::Result<std::unique_ptr<AdminServer>> start(net::Loop& loop,
                                                                        const std::string& where,
                                                                        AdminCallbacks callbacks,
                                                                        base::Fd held = {});
  // A copy of its listener, for a successor; none for "off".
  [[nodiscard]] base::Fd copy_listener() const;
  // The process before listens no more: the file of its socket is this one's.
  void settle();
  // Listens no more; the socket's file is the successor's now.
  void retire();
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  // Where it listens; port 0 of `start` is replaced by the real one. 0.0.0.0:0 for a unix socket
  // and for "off".
  [[nodiscard]] base::SocketAddress address() const;

 private:
  struct Impl;
  explicit AdminServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// True for a Host value that a DNS name of a stranger cannot produce: an IP literal or localhost,
// with or without a port.
[[nodiscard]] bool is_local_host_value(std::string_view host);

// The Prometheus text format 0.0.4.
[[nodiscard]] std::string metrics_text(const std::vector<MetricFamily>& families);

}  // namespace leash::control
