// What systemd is told and what it hands over, by its documented protocols (sd_notify(3),
// sd_listen_fds(3)).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/environment.h"
#include "base/error.h"
#include "base/fd.h"

namespace leash::control {

using base::Environment;

class SdNotify {
 public:
  // Reads NOTIFY_SOCKET (a path, or '@' and an abstract name), WATCHDOG_USEC and WATCHDOG_PID.
  // Without a socket everything here does nothing.
  explicit SdNotify(const Environment& environment);

  // Each sends one datagram and never waits. False when it was not sent (no socket, or systemd is
  // busy).
  bool ready();
  bool stopping();
  bool reloading();  // MONOTONIC_USEC included; ready() ends it
  bool watchdog();
  // Process `pid` is the service's main one from now on (MAINPID=); what this one sends no longer
  // counts.
  bool hand_over(pid_t pid);
  // One line for `systemctl status`; line breaks become blanks.
  bool status(std::string_view text);

  // Half of WATCHDOG_USEC: how often to call watchdog(). nullopt when systemd does not expect it of
  // this process.
  [[nodiscard]] std::optional<std::chrono::milliseconds> watchdog_interval() const;

 private:
  bool send(const std::string& message);

  std::string path_;
  base::Fd socket_;
  std::optional<std::chrono::milliseconds> interval_;
};

struct InheritedSocket {
  base::Fd fd;
  std::string name;  // FileDescriptorName=, "" where none was given
};

// The listening sockets of LISTEN_FDS, now close-on-exec and non-blocking. Empty when there are
// none or when LISTEN_PID is another process. `first_fd` is 3 but in tests. Call once: the
// descriptors have an owner afterwards. Errors: bad_config (a count that is none, a descriptor that
// is closed or does not listen).
[[nodiscard]] base::Result<std::vector<InheritedSocket>> take_inherited_sockets(
    const Environment& environment, int first_fd = 3);

}  // namespace leash::control
