#include "control/signals.h"

#include <csignal>
#include <utility>

namespace leash::control {

Signals::Signals(net::Loop& loop, const std::function<void()>& on_term,
                 std::function<void()> on_hup)
    : term_(loop, SIGTERM, on_term),
      int_(loop, SIGINT, on_term),
      hup_(loop, SIGHUP, std::move(on_hup)) {
  std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace leash::control
