#include "control/admin_server.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <cstdlib>
#include <optional>
#include <sstream>

#include "base/free_with.h"
#include "base/log.h"
#include "base/text.h"
#include "net/listener.h"

namespace leash::control {
namespace {

constexpr ev_ssize_t kMaxHeadBytes = 8 * 1024;
constexpr int kSilenceSeconds = 5;
constexpr std::string_view kUnixPrefix = "unix:";
constexpr const char* kText = "text/plain; charset=utf-8";
constexpr const char* kJson = "application/json";
constexpr const char* kMetrics = "text/plain; version=0.0.4; charset=utf-8";

using HttpPtr = std::unique_ptr<evhttp, base::FreeWith<evhttp_free>>;
using BufferPtr = std::unique_ptr<evbuffer, base::FreeWith<evbuffer_free>>;

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte >= 0x7f) {  // bytes, not characters: good enough for reasons
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string readiness_json(const std::vector<std::string>& reasons) {
  std::string list;
  for (const auto& reason : reasons) list += (list.empty() ? "" : ", ") + json_string(reason);
  return fmt::format("{{\"ready\": {}, \"reasons\": [{}]}}\n", reasons.empty(), list);
}

// Where `held` listens, if that is what `where` says.
std::optional<base::Endpoint> held_address(const base::Fd& held, const std::string& where) {
  if (!held.is_open()) return std::nullopt;
  const auto found = net::endpoint_of(held.get());
  if (!found) return std::nullopt;
  if (found->is_unix()) {
    if (where != std::string(kUnixPrefix) + found->path) return std::nullopt;
    return *found;
  }
  const auto wanted = base::SocketAddress::parse(where);
  if (!wanted || wanted->ip != found->tcp.ip) return std::nullopt;
  if (wanted->port != 0 && wanted->port != found->tcp.port) return std::nullopt;
  return *found;
}

}  // namespace

bool is_local_host_value(std::string_view host) {
  std::string_view name = host;
  if (name.starts_with('[')) {
    const auto end = name.find(']');
    if (end == std::string_view::npos) return false;
    const auto ip = base::IpAddress::parse(name.substr(1, end - 1));
    if (!ip || ip->is_v4()) return false;
    name.remove_prefix(end + 1);
    return name.empty() || (name[0] == ':' && base::parse_decimal(name.substr(1), 65535));
  }
  if (const auto colon = name.find(':'); colon != std::string_view::npos) {
    if (!base::parse_decimal(name.substr(colon + 1), 65535)) return false;
    name = name.substr(0, colon);
  }
  if (base::equals_ignoring_case(name, "localhost")) return true;
  return base::IpAddress::parse(name).has_value();
}

namespace {

prometheus::MetricType prometheus_type(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return prometheus::MetricType::Counter;
    case MetricType::kGauge:
      return prometheus::MetricType::Gauge;
    case MetricType::kHistogram:
      break;
  }
  return prometheus::MetricType::Histogram;
}

void set_value(prometheus::ClientMetric& metric, MetricType type, const Sample& sample) {
  if (type == MetricType::kCounter) metric.counter.value = sample.value;
  if (type == MetricType::kGauge) metric.gauge.value = sample.value;
  if (type != MetricType::kHistogram) return;
  for (const Bucket& bucket : sample.buckets)
    metric.histogram.bucket.push_back({bucket.count, bucket.bound});
  metric.histogram.sample_count = sample.buckets.back().count;
  metric.histogram.sample_sum = sample.value;
}

}  // namespace

std::string metrics_text(const std::vector<MetricFamily>& families) {
  std::vector<prometheus::MetricFamily> out;
  out.reserve(families.size());
  for (const auto& family : families) {
    auto& made = out.emplace_back();
    made.name = family.name;
    made.help = family.help;
    made.type = prometheus_type(family.type);
    for (const auto& sample : family.samples) {
      auto& metric = made.metric.emplace_back();
      for (const auto& [name, value] : sample.labels) metric.label.push_back({name, value});
      set_value(metric, family.type, sample);
    }
  }
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, out);
  return std::move(text).str();
}

struct AdminServer::Impl {
  AdminCallbacks callbacks;
  base::SocketAddress address;
  bool is_unix = false;
  base::Fd copy;  // for a successor
  std::string held_file;
  HttpPtr http;
  net::SocketFile file;  // goes before `http` closes the socket

  void open(net::Loop& loop) {
    http.reset(evhttp_new(loop.base()));
    if (!http) {
      spdlog::critical("cannot make the admin server");
      std::abort();
    }
    evhttp_set_max_headers_size(http.get(), kMaxHeadBytes);
    evhttp_set_max_body_size(http.get(), 0);
    evhttp_set_timeout(http.get(), kSilenceSeconds);
    // All that evhttp knows, so that the answer is our 405 and not its 501.
    evhttp_set_allowed_methods(http.get(), EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
                                               EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
                                               EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
                                               EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
    evhttp_set_gencb(http.get(), &Impl::on_request, this);
  }

  base::Result<void> accept(base::Fd fd) {
    if (evhttp_accept_socket(http.get(), fd.get()) != 0) {
      return base::fail(base::Code::kIo, base::Fault::kProxy, "cannot accept admin connections");
    }
    fd.release();  // evhttp's now
    return {};
  }

  static void on_request(evhttp_request* request, void* self) noexcept {
    static_cast<Impl*>(self)->answer(*request);
  }

  void answer(evhttp_request& request) const {
    if (!is_unix && !is_host_local(request)) {
      reply(request, 421, "Misdirected Request", kText, "use an IP address or localhost\n");
      return;
    }
    const evhttp_uri* const uri = evhttp_request_get_evhttp_uri(&request);
    const char* const path_text = uri != nullptr ? evhttp_uri_get_path(uri) : nullptr;
    const std::string_view path = path_text != nullptr ? path_text : "";
    if (path != "/healthz" && path != "/readyz" && path != "/metrics") {
      reply(request, 404, "Not Found", kText, "not found\n");
    } else if (evhttp_request_get_command(&request) != EVHTTP_REQ_GET) {
      evhttp_add_header(evhttp_request_get_output_headers(&request), "Allow", "GET");
      reply(request, 405, "Method Not Allowed", kText, "GET only\n");
    } else if (path == "/healthz") {
      reply(request, 200, "OK", kText, "ok\n");
    } else if (path == "/readyz") {
      const auto reasons = callbacks.not_ready_reasons();
      reply(request, reasons.empty() ? 200 : 503, reasons.empty() ? "OK" : "Service Unavailable",
            kJson, readiness_json(reasons));
    } else {
      reply(request, 200, "OK", kMetrics, metrics_text(callbacks.metrics()));
    }
  }

  // Host, and the host of an absolute target. HTTP/1.0 probes have neither; a browser always sends
  // Host.
  static bool is_host_local(evhttp_request& request) {
    const evhttp_uri* const uri = evhttp_request_get_evhttp_uri(&request);
    const char* const target = uri != nullptr ? evhttp_uri_get_host(uri) : nullptr;
    if (target != nullptr && !is_local_host_value(target)) return false;
    const char* const host = evhttp_find_header(evhttp_request_get_input_headers(&request), "Host");
    return host == nullptr || is_local_host_value(host);
  }

  static void reply(evhttp_request& request, int status, const char* words, const char* type,
                    const std::string& body) {
    evkeyvalq* const headers = evhttp_request_get_output_headers(&request);
    evhttp_add_header(headers, "Content-Type", type);
    evhttp_add_header(headers, "Cache-Control", "no-store");
    evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
    const BufferPtr buffer(evbuffer_new());
    if (buffer) evbuffer_add(buffer.get(), body.data(), body.size());
    evhttp_send_reply(&request, status, words, buffer.get());
  }
};

AdminServer::AdminServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

AdminServer::~AdminServer() = default;

base::Fd AdminServer::copy_listener() const {
  if (!impl_->copy.is_open()) return {};
  return base::Fd(::fcntl(impl_->copy.get(), F_DUPFD_CLOEXEC, 0));
}

void AdminServer::settle() {
  if (!impl_->held_file.empty()) impl_->file = net::SocketFile(impl_->held_file);
}

void AdminServer::retire() {
  impl_->file.forget();
  impl_->copy.reset();
  impl_->http.reset();
}

base::SocketAddress AdminServer::address() const { return impl_->address; }

base::Result<std::unique_ptr<AdminServer>> AdminServer::start(net::Loop& loop,
                                                              const std::string& where,
                                                              AdminCallbacks callbacks,
                                                              base::Fd held) {
  auto impl = std::make_unique<Impl>();
  impl->callbacks = std::move(callbacks);
  base::Fd fd;
  if (const auto found = held_address(held, where)) {
    impl->is_unix = found->is_unix();
    impl->address = found->tcp;
    if (impl->is_unix) impl->held_file = found->path;
    fd = std::move(held);
  } else if (where.starts_with(kUnixPrefix)) {
    auto listening = net::listen_unix(where.substr(kUnixPrefix.size()));
    if (!listening) return tl::unexpected(std::move(listening.error()));
    impl->is_unix = true;
    impl->file = std::move(listening->file);
    fd = std::move(listening->fd);
  } else if (where != "off") {
    const auto address = base::SocketAddress::parse(where);
    if (!address) {
      return base::fail(
          base::Code::kBadConfig, base::Fault::kProxy,
          fmt::format("admin address \"{}\": neither ADDR:PORT nor unix:PATH", where));
    }
    auto bound = net::listen_tcp(*address, net::Exclusive::kYes);
    if (!bound) return tl::unexpected(std::move(bound.error()));
    impl->address = bound->address;
    fd = std::move(bound->fd);
  }
  if (fd.is_open()) {
    impl->open(loop);
    impl->copy = base::Fd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
    if (auto accepting = impl->accept(std::move(fd)); !accepting) {
      return tl::unexpected(std::move(accepting.error()));
    }
  }
  return std::unique_ptr<AdminServer>(new AdminServer(std::move(impl)));
}

}  // namespace leash::control
