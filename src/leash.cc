// leash: the proxy. Reads settings, builds the parts, runs until it is told to stop.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/environment.h"
#include "base/log.h"
#include "config/policy_files.h"
#include "config/settings.h"
#include "control/admin_server.h"
#include "control/confinement.h"
#include "control/exposition.h"
#include "control/handover.h"
#include "control/kin.h"
#include "control/sd_notify.h"
#include "control/signals.h"
#include "control/spare_memory.h"
#include "control/watch.h"
#include "net/loop.h"
#include "proxy/server.h"
#include "sandbox/process.h"
#include "signer/process.h"

namespace {

using namespace leash;

constexpr int kUsage = 2;

// Each client needs a descriptor, and so does its origin.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int check_config(const config::Settings& settings) {
  config::PolicyReading reading = config::read_policy(settings.policy_dir);
  const auto writable = config::writable_policy(settings.policy_dir);
  reading.findings.insert(reading.findings.end(), writable.begin(), writable.end());
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

// Drains on the first signal to end, or when a successor serves; stops when all have finished, when
// the time is up, or on the second signal.
class Lifecycle {
 public:
  Lifecycle(net::Loop& loop, proxy::Server& server, const config::Limits& limits)
      : loop_(loop), server_(server), limits_(limits), timer_(loop, [this] { loop_.stop(); }) {}

  void end() {
    if (is_ending_) {
      loop_.stop();
      return;
    }
    is_ending_ = true;
    finish(limits_.drain_time);
  }
  void retire() {
    server_.retire();
    finish(limits_.upgrade_time);
  }
  // The successor has ended: nobody serves, and nobody can start before this process has gone.
  void bereave() {
    if (!is_ending_) finish(limits_.drain_time);
  }
  [[nodiscard]] bool is_ending() const { return is_ending_; }

 private:
  void finish(std::chrono::milliseconds at_most) {
    spdlog::info("finishing what runs, at most {} s", at_most.count() / 1000);
    timer_.stop();
    timer_.start(at_most);
    if (std::exchange(is_draining_, true)) return;
    server_.drain([this] { loop_.stop(); });
  }

  net::Loop& loop_;
  proxy::Server& server_;
  const config::Limits& limits_;
  net::Timer timer_;
  bool is_ending_ = false;
  bool is_draining_ = false;
};

// Tells systemd that the loop turns, where systemd wants to know.
class Watchdog {
 public:
  Watchdog(net::Loop& loop, control::SdNotify& systemd)
      : systemd_(systemd),
        interval_(systemd.watchdog_interval()),
        timer_(loop, [this] { beat(); }) {}

  void start() {
    if (interval_) timer_.start(*interval_);
  }
  void stop() { timer_.stop(); }

 private:
  void beat() {
    systemd_.watchdog();
    timer_.start(*interval_);
  }

  control::SdNotify& systemd_;
  std::optional<std::chrono::milliseconds> interval_;
  net::Timer timer_;
};

// What this process is given: by systemd, or by the process whose place it takes.
struct Origin {
  proxy::Server::Inheritance inheritance;
  base::Fd admin;
  base::Fd handover;                // where a successor connects
  std::vector<base::Fd> ancestors;  // connections to processes that still finish what runs
  std::optional<control::Successor> successor;
  control::Environment environment;
};

base::Result<Origin> started_by_manager(const config::Settings& settings) {
  // First of all, so that this is what is said, and not that a port is in use.
  const auto nobody = control::expect_nobody(control::handover_path(settings.ca_dir));
  if (!nobody) return tl::unexpected(nobody.error());
  Origin out;
  out.environment = base::environment();
  auto sockets = control::take_inherited_sockets(out.environment);
  if (!sockets) return tl::unexpected(sockets.error());
  for (control::InheritedSocket& socket : *sockets) {
    out.inheritance.listeners.push_back(std::move(socket.fd));
  }
  out.inheritance.is_activated = !sockets->empty();
  return out;
}

base::Result<Origin> taking_over(const config::Settings& settings) {
  auto successor = control::Successor::connect(control::handover_path(settings.ca_dir));
  if (!successor) return tl::unexpected(successor.error());
  control::Estate& estate = successor->estate();
  if (estate.log != settings.log) {
    return base::fail(base::Code::kBadConfig, base::Fault::kProxy,
                      "upgrade: the leash that runs writes another log, " + estate.log);
  }
  if (!estate.turn.is_open()) {
    return base::fail(base::Code::kIo, base::Fault::kProxy,
                      "upgrade: the leash that runs cannot share its log; restart it instead");
  }
  Origin out;
  out.environment = base::environment();
  out.environment["NOTIFY_SOCKET"] = estate.notify_socket;
  out.environment["WATCHDOG_USEC"] = estate.watchdog_usec;
  out.environment.erase("WATCHDOG_PID");
  out.inheritance = {.listeners = std::move(estate.listeners),
                     .is_activated = estate.is_activated,
                     .audit_socket = std::move(estate.audit_socket),
                     .turn = std::move(estate.turn),
                     .run_id = estate.run_id};
  out.admin = std::move(estate.admin);
  out.handover = std::move(estate.handover);
  out.ancestors = std::move(estate.ancestors);
  out.successor = std::move(*successor);
  return out;
}

int refuse(const base::Error& why) {
  spdlog::critical("{}", why.text());
  return kUsage;
}

// None, where there cannot be one. Errors: another leash is there.
base::Result<base::Fd> listener_for_successor(const config::Settings& settings, base::Fd held) {
  if (held.is_open()) return held;
  auto made = control::listen_for_successor(control::handover_path(settings.ca_dir));
  if (made || made.error().code == base::Code::kBadConfig) return made;
  spdlog::warn("{}: this process cannot be upgraded, only restarted", made.error().detail);
  return {};
}

// `served` is told once connections are accepted.
int serve(const config::Settings& settings, base::Result<Origin> origin,
          const std::function<void()>& served) {
  if (!origin) return refuse(origin.error());
  sandbox::forbid_memory_dumps();
  raise_descriptor_limit();
  auto server = proxy::Server::make(settings, std::move(origin->inheritance));
  if (!server) return refuse(server.error());
  proxy::Server& proxy = **server;
  net::Loop loop;
  Lifecycle lifecycle(loop, proxy, settings.limits);
  control::SdNotify systemd(origin->environment);
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
  control::Confinement confinement;
  auto admin = control::AdminServer::start(
      loop, settings.admin,
      {.not_ready_reasons =
           [&proxy, &lifecycle] {
             return control::not_ready_reasons(proxy, lifecycle.is_ending()
                                                          ? control::Phase::kStopping
                                                          : control::Phase::kServing);
           },
       .metrics = [&proxy, &confinement] { return control::metric_families(proxy, confinement); }},
      std::move(origin->admin));
  if (!admin) return refuse(admin.error());
  auto for_successor = listener_for_successor(settings, std::move(origin->handover));
  if (!for_successor) return refuse(for_successor.error());
  const control::SpareMemory spare_memory(loop);
  confinement = control::confine(settings);
  if (origin->successor) {
    if (auto ready = origin->successor->ready(); !ready) return refuse(ready.error());
  }
  if (auto opened = proxy.open(); !opened) return refuse(opened.error());
  const base::SocketAddress admin_address = (*admin)->address();
  if (admin_address.port != 0) proxy.add_own_listener(admin_address);
  const auto check_policy = [&proxy] { proxy.recheck_policy(); };
  const control::DirectoryWatch watch(loop, settings.policy_dir, check_policy, check_policy);
  Watchdog watchdog(loop, systemd);
  control::Kin kin(loop, [&proxy](auto standing, const std::function<void()>& done) {
    proxy.stand(standing, done);
  });
  for (base::Fd& fd : origin->ancestors) kin.add_ancestor(std::move(fd));
  std::optional<control::Predecessor> predecessor;
  if (for_successor->is_open()) {
    predecessor.emplace(
        loop, std::move(*for_successor), settings.ca_dir,
        control::Predecessor::Callbacks{
            .estate =
                [&] {
                  auto mine = proxy.bequeath();
                  return control::Estate{.run_id = mine.run_id,
                                         .log = settings.log,
                                         .notify_socket = origin->environment["NOTIFY_SOCKET"],
                                         .watchdog_usec = origin->environment["WATCHDOG_USEC"],
                                         .is_activated = mine.is_activated,
                                         .listeners = std::move(mine.listeners),
                                         .admin = (*admin)->copy_listener(),
                                         .audit_socket = std::move(mine.audit_socket),
                                         .handover = {},
                                         .turn = std::move(mine.turn),
                                         .ancestors = kin.copies()};
                },
            .share = [&kin](std::function<void()> done) { kin.add_successor(std::move(done)); },
            .resume = [&kin] { kin.lose_successor(); },
            .retire =
                [&](pid_t pid) {
                  systemd.hand_over(pid);
                  watchdog.stop();
                  (*admin)->retire();
                  lifecycle.retire();
                },
            .bereave =
                [&kin, &lifecycle] {
                  spdlog::error("upgrade: the successor has ended");
                  kin.lose_successor();
                  lifecycle.bereave();
                }});
  }
  proxy.run({{"sandbox", confinement.text()}});
  for (const base::Endpoint& endpoint : proxy.listening())
    spdlog::info("listening on {}", endpoint.text());
  if (admin_address.port != 0) spdlog::info("admin on {}", admin_address.text());
  spdlog::info("mode {}, log {}, CA {}", policy::word(proxy.policy().current().snapshot->mode),
               settings.log, proxy.ca_path());
  if (origin->successor) {
    if (auto serving = origin->successor->serving(); !serving) {
      spdlog::critical("{}", serving.error().detail);
      predecessor.reset();  // who comes next is the old one's
      lifecycle.end();      // what was accepted meanwhile is finished
      loop.run();
      proxy.stop();
      return kUsage;
    }
    kin.add_ancestor(origin->successor->take_connection());
    proxy.settle();
    (*admin)->settle();
  }
  systemd.ready();
  watchdog.start();
  served();
  loop.run();
  proxy.stop();
  return 0;
}

// Makes the successor and waits until it serves or has given up; the exit code tells which.
int upgrade(const config::Settings& settings) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return kUsage;
  const base::Fd told(ends[0]);
  base::Fd tell(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return kUsage;
  if (child == 0) {
    ::setsid();
    // Whoever waits for the end of this command's output shall not wait for that of the successor.
    const base::Fd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
    ::dup2(nothing.get(), STDIN_FILENO);
    ::dup2(nothing.get(), STDOUT_FILENO);
    return serve(settings, taking_over(settings), [&tell] {
      const char byte = 'S';
      [[maybe_unused]] const ssize_t written = ::write(tell.get(), &byte, 1);
      tell.reset();
    });
  }
  tell.reset();
  char byte = 0;
  ssize_t got = -1;
  do {
    got = ::read(told.get(), &byte, 1);
  } while (got < 0 && errno == EINTR);
  if (got == 1) {
    std::printf("process %d serves\n", static_cast<int>(child));
    return 0;
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  std::fprintf(stderr, "leash: no upgrade; the leash that runs goes on\n");
  return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1;
}

}  // namespace

int main(int argc, char** argv) {
  base::init_log();
  if (const auto code = signer::run_if_asked(argc, argv)) return *code;
  auto parsed = config::parse_settings(argc, argv, base::environment());
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
      return serve(parsed->settings, started_by_manager(parsed->settings), [] {});
    case config::Run::kUpgrade:
      return upgrade(parsed->settings);
  }
  return 1;
}
