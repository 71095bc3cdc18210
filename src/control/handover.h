// An upgrade: a new process takes the place of the one that serves, which finishes what runs. Both
// sides of what they say to each other, over a unix socket beside the CA (SOCK_SEQPACKET, one
// message a packet, each descriptor in a message of its own).
//
//   new: connects, from a socket that    old: about itself, then its sockets and the log's turn
//        it has made in that folder
//   new: has read everything -> ready    old: writes the log in turns from now on -> go
//   new: accepts connections -> serving  old: -> yours, stops accepting, tells systemd, -> done
//
// Until `yours` either may die, and the old one goes on as if nothing had been. Afterwards the
// end of the connection tells the one that is left that it writes the log alone. An old one that
// breaks off before and lives on says so: the mere end of the connection is its death.
//
// A process that serves is confined, and Landlock lets it make no socket anywhere. So the name of
// the newcomer's socket shows that it is none of those that this one has replaced, which are of the
// same user and may have been taken over. It is used once, and gives nothing to who sees it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "net/listener.h"
#include "net/loop.h"

namespace leash::control {

// Beside the CA, where nobody else can make a socket.
[[nodiscard]] std::string handover_path(const std::string& ca_dir);

// What the old process gives. Its descriptors are copies.
struct Estate {
  std::string run_id;
  std::string log;            // its path: both must write the same
  std::string notify_socket;  // of systemd; "" for none
  std::string watchdog_usec;
  bool is_activated = false;  // its listeners are systemd's
  std::vector<base::Fd> listeners;
  base::Fd admin;  // may be absent, as may the next two
  base::Fd audit_socket;
  base::Fd handover;                // where the next successor connects
  base::Fd turn;                    // of audit::LogTurn
  std::vector<base::Fd> ancestors;  // connections to those that still finish what runs
};

// The side of the process that takes over; waits, `patience` at most each time.
class Successor {
 public:
  static constexpr std::chrono::milliseconds kPatience{10'000};
  // Errors: io, with what the other side said or did not.
  [[nodiscard]] static base::Result<Successor> connect(
      const std::string& path, std::chrono::milliseconds patience = kPatience);
  [[nodiscard]] Estate& estate() { return estate_; }
  // Everything is read and bound: returns once the old process writes in turns.
  [[nodiscard]] base::Result<void> ready();
  // Connections are accepted: returns once the old process does so no more, or has ended. Errors:
  // io; then the old one goes on, now or as soon as it can, and this one has to end.
  [[nodiscard]] base::Result<void> serving();
  // For Kin: its end is that of the old process.
  [[nodiscard]] base::Fd take_connection() { return std::move(connection_); }

 private:
  base::Result<void> expect(char type);
  base::Fd connection_;
  Estate estate_;
};

// The side of the process that serves. On its loop.
class Predecessor {
 public:
  struct Callbacks {
    std::function<Estate()> estate;
    // Writes the log in turns; calls back, from any thread, when it does.
    std::function<void(std::function<void()> done)> share;
    // The successor is gone without having served.
    std::function<void()> resume;
    // The successor, process `pid`, serves: accept no more, finish what runs.
    std::function<void(pid_t pid)> retire;
    // The successor has ended, after it served.
    std::function<void()> bereave;
  };
  // `listener`: listens on handover_path(ca_dir). Not for two at once: a second one is told to
  // wait.
  Predecessor(net::Loop& loop, base::Fd listener, std::string ca_dir, Callbacks callbacks);
  ~Predecessor();
  Predecessor(const Predecessor&) = delete;
  Predecessor& operator=(const Predecessor&) = delete;

  [[nodiscard]] int listener() const { return listener_.get(); }

 private:
  enum class Stage { kIdle, kOffered, kSharing, kGone, kServed };
  void accept();
  void on_readable();
  void on_end();
  void on_message(char type);
  void offer();
  void give_up();

  net::Loop& loop_;
  base::Fd listener_;
  const std::string ca_dir_;
  Callbacks callbacks_;
  Stage stage_ = Stage::kIdle;
  base::Fd connection_;
  pid_t pid_ = 0;
  net::Timer patience_;  // with a successor that gets nowhere
  std::unique_ptr<net::ReadWatch> accepting_;
  std::unique_ptr<net::ReadWatch> reading_;
  std::shared_ptr<Predecessor*> self_;
};

// For a process that takes nobody's place: refuses where another one with the same CA lives,
// whether that serves or still finishes what runs, since both would write the log. Errors:
// bad_config, with what to do about it.
[[nodiscard]] base::Result<void> expect_nobody(const std::string& path);

// Where the next successor connects. Errors: those of expect_nobody; io.
[[nodiscard]] base::Result<base::Fd> listen_for_successor(const std::string& path);

}  // namespace leash::control
