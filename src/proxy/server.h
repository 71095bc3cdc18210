// The whole proxy: what workers share, the workers, their listeners.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "audit/open_intents.h"
#include "net/listener.h"
#include "net/socket_file.h"
#include "policy/expiry_clock.h"
#include "proxy/metrics.h"
#include "proxy/shared.h"
#include "proxy/worker.h"
#include "signer/process.h"
#include "tls/signing_key.h"

namespace leash::proxy {

class Server {
 public:
  // How many connections the process may have, by settings and by the kernel.
  struct Descriptors {
    std::size_t clients = 0;
    std::size_t origins = 0;
  };

  // What a process that is started, or takes over, is given.
  struct Inheritance {
    // They listen already and do not block. Of the process before: those that the settings name are
    // used, the others closed. Of systemd's: all, and settings.listen is not bound.
    std::vector<base::Fd> listeners;
    bool is_activated = false;  // systemd's
    base::Fd audit_socket;
    base::Fd turn;       // the process before still writes the log (audit::LogTurn)
    std::string run_id;  // of that process
  };

  // Starts the signer, reads the keys, binds the listeners: what takes rights that are given up
  // before open(). Before there are other threads. `settings` must outlive the
  // server. Errors: what could not be opened, in words for the operator.
  [[nodiscard]] static base::Result<std::unique_ptr<Server>> make(const config::Settings& settings,
                                                                  Inheritance inheritance);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Opens log and policy; serves after run(). Errors: as above.
  [[nodiscard]] base::Result<void> open();
  // leash's other listeners (admin), which must not be dialled either. Before run().
  void add_own_listener(const base::SocketAddress& address);
  // `about`: more of the start line.
  void run(const std::vector<std::pair<std::string, std::string>>& about);
  // Looks at the files and at the time, and cuts what has lost its right. To be called when the
  // directory has changed and each second, always on one thread.
  void recheck_policy();
  void reopen_log();

  // An upgrade. Copies of what a successor needs, its `about` included.
  [[nodiscard]] Inheritance bequeath() const;
  // Others write the log as well, or no more; see there.
  void stand(audit::LogWriter::Standing standing, std::function<void()> done) {
    log_->stand(standing, std::move(done));
  }
  // The process before serves no more: the files of its sockets are this one's. After run().
  void settle();
  // A successor serves: socket files, sinks and news of the policy are its now. drain() is next.
  void retire();
  // No new connections; `done` (on some worker's thread) once all have finished.
  void drain(const std::function<void()>& done);
  // Cuts what is left, writes `stop`, ends.
  void stop();

  [[nodiscard]] const std::vector<base::Endpoint>& listening() const { return listening_; }
  [[nodiscard]] const Metrics& metrics() const { return metrics_; }
  [[nodiscard]] const audit::LogWriter& log() const { return *log_; }
  [[nodiscard]] const std::vector<std::shared_ptr<audit::Sink>>& sinks() const { return sinks_; }
  [[nodiscard]] config::PolicyFiles& policy() { return *policy_; }
  // The CA's certificate.
  [[nodiscard]] const std::string& ca_path() const { return signer_.ca_path; }
  [[nodiscard]] const signer::Counts& signer_counts() const { return signer_counts_; }
  // Leaves at hand.
  [[nodiscard]] std::size_t leaves() const { return leaves_->size(); }

 private:
  explicit Server(const config::Settings& settings);
  base::Result<void> start_signer();
  base::Result<void> bind_audit_socket(base::Fd held);
  void make_sinks();
  base::Result<void> init(Inheritance inheritance);
  base::Result<void> bind(Inheritance inheritance);
  base::Result<void> make_turn(const base::Fd& theirs);
  [[nodiscard]] bool use_held(const base::Endpoint& wanted, std::vector<base::Fd>& held);
  base::Result<void> adopt(base::Fd fd);
  base::Result<void> share(base::Fd fd);
  void give(std::size_t worker, base::Fd fd);
  base::Result<void> bind_tcp(const base::SocketAddress& wanted);
  base::Result<void> bind_unix(const std::string& path);
  void on_policy_change(const config::PolicyFiles::Change& change);
  void record_start(const std::vector<std::pair<std::string, std::string>>& about);

  const config::Settings& settings_;
  Metrics metrics_;
  const Descriptors descriptors_;
  ClientCounts clients_;
  ProxyNames names_;
  signer::Started signer_;
  signer::Counts signer_counts_;
  std::optional<tls::LeafAssembler> assembler_;
  std::unique_ptr<tls::LeafCache> leaves_;
  std::vector<std::shared_ptr<audit::Sink>> sinks_;
  std::optional<tls::SigningKey> key_;  // of the log's checkpoints
  std::optional<net::BoundUnix> audit_socket_;
  audit::LeftOpen left_open_;  // as the log was found
  std::unique_ptr<audit::LogWriter> log_;
  std::unique_ptr<audit::Redactor> redactor_;
  std::unique_ptr<config::PolicyFiles> policy_;
  std::unique_ptr<policy::AddressGuard> guard_;
  std::unique_ptr<Shared> shared_;
  std::vector<base::Endpoint> listening_;
  std::vector<base::SocketAddress> own_;
  std::vector<std::vector<base::Fd>> bound_;  // by worker
  // Go before the listeners close: who comes then finds no socket instead of a dead one.
  std::vector<net::SocketFile> socket_files_;
  std::mutex workers_mutex_;  // a policy change may come from any worker, also while they are made
  std::vector<std::unique_ptr<Worker>> workers_;
  bool is_running_ = false;
  bool is_activated_ = false;
  std::atomic<bool> is_retired_{false};
  std::shared_ptr<const audit::LogTurn> turn_;
  std::string predecessor_;  // the run that still finishes; "" for none
  std::vector<std::string> held_files_;
  std::vector<base::Fd> kept_;  // copies of the listeners, for a successor
  base::Fd kept_audit_socket_;
  policy::ExpiryClock expiries_{std::chrono::system_clock::now()};
};

}  // namespace leash::proxy
