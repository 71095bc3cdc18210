// One accepted client connection and all that hangs on it: a proxy leg, then perhaps a tunnel with
// TLS and a leg inside.
#pragma once

#include <memory>
#include <string>

#include "base/ip_address.h"
#include "net/loop.h"
#include "proxy/client_leg.h"
#include "proxy/connect_attempt.h"
#include "proxy/h1_client_leg.h"
#include "proxy/services.h"
#include "proxy/splice.h"
#include "proxy/transport.h"

namespace leash::proxy {

class Session final : public Transport::Handler,
                      public LegOwner,
                      public ConnectAttempt::Owner,
                      public Splice::Owner {
 public:
  class Owner {
   public:
    // Must not destroy the session inside the call (Loop::bury).
    virtual void on_session_done(Session& session) = 0;

   protected:
    ~Owner() = default;
  };

  Session(Services& services, base::Fd fd, const base::SocketAddress& peer, Owner& owner);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // The policy has changed: tunnels, exchanges and WebSockets that have lost their right end.
  void recheck(const policy::Snapshot& snapshot);
  // Finish what runs, take nothing new.
  void drain();
  // The drain's time is up.
  void cut();
  [[nodiscard]] const base::IpAddress& client() const { return peer_.ip; }

 private:
  enum class Stage {
    kProxy,      // a leg on the bare connection
    kSniffing,   // CONNECT has its 200: TLS or HTTP?
    kHandshake,  // TLS with the client
    kTunnel,     // a leg inside the tunnel
    kSplice,     // bytes passed through
    kDone,
  };

  void on_bytes(std::string_view plain) override;
  void on_eof(End end) override;
  void on_error(base::Error error) override;
  void on_drained() override;
  void on_established() override;

  base::Result<Context> make_context(http::RequestHead head) override;
  void on_connect(http::RequestHead head) override;
  void record_error(const Refusal& refusal) override;
  void on_exchange_recorded() override { has_line_ = true; }
  void on_leg_done(Ending ending) override;

  void on_connect_allowed(Context& context) override;
  void on_connect_refused(const Refusal& refusal, const Context& context) override;

  void on_splice_done() override;
  void on_splice_refused(const Refusal& refusal) override;

  [[nodiscard]] Context blank_context();
  [[nodiscard]] audit::Record tunnel_record(audit::Event event) const;
  void sniff();
  void start_tls();
  void start_leg();
  void start_splice();
  [[nodiscard]] base::Result<void> check_hello(const tls::ClientHello& hello);
  void refuse_tunnel(const Refusal& refusal);
  void end(Ending ending);
  void on_timer();

  Services& services_;
  base::SocketAddress peer_;
  std::string client_;
  Owner& owner_;
  Transport transport_;
  net::Timer timer_;
  Stage stage_ = Stage::kProxy;
  std::unique_ptr<Tunnel> tunnel_;
  std::unique_ptr<H1ClientLeg> proxy_leg_;
  std::unique_ptr<ConnectAttempt> attempt_;
  std::unique_ptr<ClientLeg> leg_;  // inside the tunnel
  std::unique_ptr<Splice> splice_;
  std::vector<base::SocketAddress> addresses_;  // checked at CONNECT; for a splice
  std::string sniffed_;
  bool is_clear_tunnel_ = false;  // HTTP without TLS inside a tunnel
  bool has_line_ = false;
  bool is_draining_ = false;
};

}  // namespace leash::proxy
