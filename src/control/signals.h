// What the process does on SIGTERM, SIGINT, SIGHUP and SIGPIPE.
#pragma once

#include <functional>

#include "net/loop.h"
#include "net/signal_watch.h"

namespace leash::control {

// SIGTERM and SIGINT call `on_term` each time (the first means drain, a second one leave at once:
// the callee counts), SIGHUP calls `on_hup`, SIGPIPE is ignored from here on. The main thread's
// loop; one in a process.
class Signals {
 public:
  Signals(net::Loop& loop, const std::function<void()>& on_term, std::function<void()> on_hup);

 private:
  net::SignalWatch term_;
  net::SignalWatch int_;
  net::SignalWatch hup_;
};

}  // namespace leash::control
