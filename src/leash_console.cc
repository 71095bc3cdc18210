// leash-console: the web console. Reads settings, builds the parts, runs until it is told to stop.
#include <csignal>
#include <cstdio>

#include "base/environment.h"
#include "base/log.h"
#include "console/console.h"
#include "console/settings.h"
#include "net/loop.h"
#include "net/signal_watch.h"
#include "signer/process.h"

namespace {

using namespace leash;

constexpr int kUsage = 2;

int serve(const console::Settings& settings) {
  net::Loop loop;
  auto console = console::Console::start(loop, settings);
  if (!console) {
    spdlog::critical("{}", console.error().text());
    return kUsage;
  }
  const net::SignalWatch interrupt(loop, SIGINT, [&loop] { loop.stop(); });
  const net::SignalWatch terminate(loop, SIGTERM, [&loop] { loop.stop(); });
  for (const base::SocketAddress& address : (*console)->addresses()) {
    spdlog::info("console on {}://{}", settings.uses_tls ? "https" : "http", address.text());
  }
  if (settings.auth == console::Auth::kOff) {
    spdlog::warn("nobody has to sign in: everybody outside agent_networks is an operator");
  }
  loop.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  base::init_log();
  if (const auto code = signer::run_if_asked(argc, argv)) return *code;
  std::signal(SIGPIPE, SIG_IGN);
  auto parsed = console::parse_settings(argc, argv, base::environment());
  if (!parsed) {
    std::fprintf(stderr, "leash-console: %s\n", parsed.error().detail.c_str());
    return kUsage;
  }
  return parsed->run == console::Run::kExit ? 0 : serve(parsed->settings);
}
