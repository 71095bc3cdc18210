// One thread: its loop, its listeners, its sessions, its origin pool. No locks.
#pragma once

#include <memory>
#include <thread>
#include <unordered_map>
#include <vector>

#include "net/listener.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "proxy/origin_pool.h"
#include "proxy/services.h"
#include "proxy/session.h"
#include "signer/desk.h"
#include "tls/engine.h"

namespace leash::proxy {

class Worker final : public Session::Owner {
 public:
  // `signer`: of signer::Started. Errors: what the TLS contexts or the resolver could not be made
  // of.
  [[nodiscard]] static base::Result<std::unique_ptr<Worker>> make(Shared& shared, std::size_t index,
                                                                  base::Fd signer,
                                                                  signer::Desk::Shared leaves);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Before run().
  void listen(base::Fd fd);
  // Starts the thread.
  void run();

  // From any thread:
  // Judges all that is open by the policy that is in force then.
  void recheck();
  // Closes the listeners and lets what runs finish; `done` runs on this worker's thread when
  // nothing is left.
  void drain(std::function<void()> done);
  // Cuts what is left and stops the thread. Joins it.
  void stop();

 private:
  Worker(Shared& shared, std::size_t index);
  base::Result<void> init(base::Fd signer, signer::Desk::Shared leaves);
  void accept(base::Fd fd, const net::Peer& peer);
  void on_session_done(Session& session) override;

  Shared& shared_;
  std::size_t index_;
  net::Loop loop_;
  std::unique_ptr<signer::Desk> leaves_;
  std::unique_ptr<tls::ServerContext> client_tls_;
  std::unique_ptr<tls::ClientContext> origin_tls_;
  std::unique_ptr<net::Resolver> resolver_;
  std::unique_ptr<OriginPool> pool_;
  std::unique_ptr<Services> services_;
  std::unordered_map<Session*, std::unique_ptr<Session>> sessions_;
  std::vector<std::unique_ptr<net::Listener>> listeners_;
  std::function<void()> drained_;
  std::thread thread_;
};

}  // namespace leash::proxy
