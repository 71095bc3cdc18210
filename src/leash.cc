// leash: the proxy. Reads settings, builds the parts, runs until it is told to stop.
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "config/policy_files.h"
#include "config/settings.h"
#include "control/admin_server.h"
#include "control/exposition.h"
#include "control/sd_notify.h"
#include "control/signals.h"
#include "control/watch.h"
#include "net/loop.h"
#include "proxy/server.h"

extern char** environ;

namespace {

using namespace leash;

constexpr int kUsage = 2;

std::map<std::string, std::string> environment() {
  std::map<std::string, std::string> found;
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string_view pair = *each;
    const auto split = pair.find('=');
    if (split != std::string_view::npos)
      found.emplace(pair.substr(0, split), pair.substr(split + 1));
  }
  return found;
}

// Each client needs a descriptor, and so does its origin.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int check_config(const config::Settings& settings) {
  const config::PolicyReading reading = config::read_policy(settings.policy_dir);
  bool has_errors = false;
  for (const config::Finding& finding : reading.findings) {
    has_errors = has_errors || finding.is_error;
    const std::string where =
        finding.line > 0 ? finding.file + ":" + std::to_string(finding.line) : finding.file;
    std::printf("%s: %s: %s\n", where.c_str(), finding.is_error ? "error" : "warning",
                finding.text.c_str());
  }
  if (reading.findings.empty()) std::printf("no findings\n");
  return has_errors ? 1 : 0;
}

// Drains on the first signal to end, stops when all have finished, when the time is up, or on the
// second.
class Lifecycle {
 public:
  Lifecycle(net::Loop& loop, proxy::Server& server, std::chrono::milliseconds drain_time)
      : loop_(loop),
        server_(server),
        drain_time_(drain_time),
        timer_(loop, [this] { loop_.stop(); }) {}

  void end() {
    if (is_ending_) {
      loop_.stop();
      return;
    }
    is_ending_ = true;
    spdlog::info("finishing what runs, at most {} s", drain_time_.count() / 1000);
    timer_.start(drain_time_);
    server_.drain([this] { loop_.stop(); });
  }
  [[nodiscard]] bool is_ending() const { return is_ending_; }

 private:
  net::Loop& loop_;
  proxy::Server& server_;
  std::chrono::milliseconds drain_time_;
  net::Timer timer_;
  bool is_ending_ = false;
};

// Tells systemd that the loop turns, where systemd wants to know.
class Watchdog {
 public:
  Watchdog(net::Loop& loop, control::SdNotify& systemd)
      : systemd_(systemd),
        interval_(systemd.watchdog_interval()),
        timer_(loop, [this] { beat(); }) {
    if (interval_) timer_.start(*interval_);
  }

 private:
  void beat() {
    systemd_.watchdog();
    timer_.start(*interval_);
  }

  control::SdNotify& systemd_;
  std::optional<std::chrono::milliseconds> interval_;
  net::Timer timer_;
};

int serve(const config::Settings& settings) {
  raise_descriptor_limit();
  auto server = proxy::Server::make(settings);
  if (!server) {
    spdlog::critical("{}", server.error().text());
    return kUsage;
  }
  proxy::Server& proxy = **server;
  net::Loop loop;
  Lifecycle lifecycle(loop, proxy, settings.limits.drain_time);
  control::SdNotify systemd(environment());
  const control::Signals signals(
      loop,
      [&lifecycle, &systemd] {
        systemd.stopping();
        lifecycle.end();
      },
      [&proxy] {
        spdlog::info("reopening the log");
        proxy.reopen_log();
        proxy.recheck_policy();
      });
  auto admin = control::AdminServer::start(
      loop, settings.admin,
      {.not_ready_reasons =
           [&proxy, &lifecycle] {
             return control::not_ready_reasons(proxy, lifecycle.is_ending()
                                                          ? control::Phase::kStopping
                                                          : control::Phase::kServing);
           },
       .metrics = [&proxy] { return control::metric_families(proxy); }});
  if (!admin) {
    spdlog::critical("{}", admin.error().text());
    return kUsage;
  }
  const base::SocketAddress admin_address = (*admin)->address();
  if (admin_address.port != 0) proxy.add_own_listener(admin_address);
  control::DirectoryWatch watch(loop, settings.policy_dir, [&proxy] { proxy.recheck_policy(); });
  proxy.run();
  for (const base::SocketAddress& address : proxy.listening())
    spdlog::info("listening on {}", address.text());
  if (admin_address.port != 0) spdlog::info("admin on {}", admin_address.text());
  spdlog::info("mode {}, log {}, CA {}", policy::word(proxy.policy().current().snapshot->mode),
               settings.log, proxy.issuer().certificate_path());
  systemd.ready();
  Watchdog watchdog(loop, systemd);
  loop.run();
  proxy.stop();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  base::init_log();
  auto parsed = config::parse_settings(argc, argv, environment());
  if (!parsed) {
    std::fprintf(stderr, "leash: %s\n", parsed.error().detail.c_str());
    return kUsage;
  }
  switch (parsed->run) {
    case config::Run::kExit:
      return 0;
    case config::Run::kCheck:
      return check_config(parsed->settings);
    case config::Run::kServe:
      return serve(parsed->settings);
  }
  return 1;
}
