// The whole proxy: what workers share, the workers, their listeners.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "proxy/metrics.h"
#include "proxy/shared.h"
#include "proxy/worker.h"
#include "tls/authority_store.h"

namespace leash::proxy {

class Server {
 public:
  // Opens CA, policy and log, binds the listeners; serves after run(). `settings` must outlive the
  // server. Errors: what could not be opened, in words for the operator.
  [[nodiscard]] static base::Result<std::unique_ptr<Server>> make(const config::Settings& settings);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // leash's other listeners (admin), which must not be dialled either. Before run().
  void add_own_listener(const base::SocketAddress& address);
  void run();
  // The directory has changed: looks at the files, and cuts what has lost its right.
  void recheck_policy();
  void reopen_log();
  // No new connections; `done` (on some worker's thread) once all have finished.
  void drain(const std::function<void()>& done);
  // Cuts what is left, writes `stop`, ends.
  void stop();

  [[nodiscard]] const std::vector<base::SocketAddress>& listening() const { return listening_; }
  [[nodiscard]] const Metrics& metrics() const { return metrics_; }
  [[nodiscard]] const audit::LogWriter& log() const { return *log_; }
  [[nodiscard]] config::PolicyFiles& policy() { return *policy_; }
  [[nodiscard]] const tls::Issuer& issuer() const { return *issuer_; }

 private:
  explicit Server(const config::Settings& settings);
  base::Result<void> init();
  base::Result<void> bind();
  void on_policy_change(const config::PolicyFiles::Change& change);
  void record_start();

  const config::Settings& settings_;
  Metrics metrics_;
  audit::CaptureBudget captures_;
  ClientCounts clients_;
  std::unique_ptr<tls::Issuer> issuer_;
  std::unique_ptr<tls::LeafSource> leaves_;
  std::unique_ptr<audit::LogWriter> log_;
  std::unique_ptr<audit::Redactor> redactor_;
  std::unique_ptr<config::PolicyFiles> policy_;
  std::unique_ptr<policy::AddressGuard> guard_;
  std::unique_ptr<Shared> shared_;
  std::vector<base::SocketAddress> listening_;
  std::vector<base::SocketAddress> own_;
  std::vector<std::vector<base::Fd>> bound_;  // by worker
  std::mutex workers_mutex_;  // a policy change may come from any worker, also while they are made
  std::vector<std::unique_ptr<Worker>> workers_;
  bool is_running_ = false;
};

}  // namespace leash::proxy
