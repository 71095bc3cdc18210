// The audit log for a syslog daemon.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include "audit/backlog.h"
#include "audit/inbox.h"
#include "audit/loss_log.h"
#include "audit/sink.h"
#include "audit/syslog_message.h"
#include "base/fd.h"
#include "base/syslog_target.h"

namespace leash::audit {

// One message a line (see SyslogFormat). Framing: a datagram each over UDP and a unix datagram
// socket; octet counting (RFC 6587 s. 3.4.1) over TCP; a line feed behind each over a unix stream
// socket. A line of more than 60 000 bytes loses bodies and headers on its way in a datagram. When
// the daemon is away, it is tried again after 100 ms, then twice as long up to 10 s; meanwhile
// lines wait as far as the backlog goes. What the kernel has taken counts as handed on: a daemon
// that dies with unread bytes loses them, and UDP tells nothing at all.
class SyslogSink : public Sink {
 public:
  static constexpr std::size_t kBacklogBytes = 8 * 1024 * 1024;
  explicit SyslogSink(base::SyslogTarget target, std::size_t backlog_bytes = kBacklogBytes);
  // Gives the daemon a second to take what waits for it, where it is there.
  ~SyslogSink() override;

  [[nodiscard]] bool wants() const override { return true; }
  void offer(SharedBatch batch) override { inbox_.put(std::move(batch)); }
  [[nodiscard]] Counts counts() const override { return {lines_, lost_, is_up_ ? 1U : 0U}; }
  [[nodiscard]] std::string_view name() const override { return "syslog"; }

 private:
  using Clock = std::chrono::steady_clock;
  enum class State { kDown, kConnecting, kUp };

  void run();
  [[nodiscard]] int timeout_ms(bool is_closed) const;
  void take();
  void connect();
  void connect_unix();
  void connect_inet();
  void finish_connecting();
  void set_datagram(bool is_datagram);
  void go_up();
  void go_down(const std::string& why);
  void drop_sent();
  bool fill();
  [[nodiscard]] std::string framed(std::string_view line) const;
  void send();
  [[nodiscard]] bool is_refused_datagram(int error);
  void look_for_end();

  const base::SyslogTarget target_;
  const SyslogFormat format_;
  Inbox inbox_;
  LossLog losses_;
  std::atomic<std::uint64_t> lines_{0}, lost_{0};
  std::atomic<bool> is_up_{false};
  // of the thread
  State state_ = State::kDown;
  base::Fd fd_;
  bool is_datagram_ = false;
  Backlog backlog_;
  std::string out_;  // framed messages; one where it is a datagram
  std::size_t sent_ = 0;
  std::vector<std::size_t> ends_;  // of the messages in out_
  Clock::time_point next_try_{};
  Clock::time_point connect_until_{};
  std::chrono::milliseconds pause_;
  bool is_told_down_ = false;
  Clock::time_point next_telling_{};
  std::thread thread_;
};

}  // namespace leash::audit
