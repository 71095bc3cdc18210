// One accepted client connection and all that hangs on it: a proxy leg, then perhaps a tunnel with
// TLS and a leg inside.
#pragma once

#include <memory>
#include <string>

#include "base/fd.h"
#include "net/loop.h"
#include "net/peer.h"
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

  Session(Services& services, base::Fd fd, const net::Peer& peer, ClientCounts::Place place,
          Owner& owner);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // The policy has changed: tunnels, exchanges and WebSockets that have lost their right end.
  void recheck(const policy::Snapshot& snapshot);
  // Finish what runs, take nothing new.
  void drain();
  // The drain's time is up.
  void cut();
  // What it counts as: net::Peer::name.
  [[nodiscard]] const std::string& client() const { return client_; }

 private:
  enum class Stage {
    kProxy,           // a leg on the connection, with TLS to us or without
    kProxyHello,      // TLS to us begins
    kProxyHandshake,  // TLS with us under our own name
    kSniffing,        // CONNECT has its 200: TLS or HTTP?
    kHandshake,       // TLS with the client
    kTunnel,          // a leg inside the tunnel
    kSplice,          // bytes passed through
    kDone,
  };

  void on_bytes(std::string_view plain) override;
  void on_eof(End end) override;
  void on_error(base::Error error) override;
  void on_drained() override;
  void on_established() override;

  base::Result<Context> make_context(http::RequestHead&& head) override;
  const std::shared_ptr<ClientMemory>& memory() const override { return memory_; }
  void on_connect(http::RequestHead head) override;
  void record_error(const Refusal& refusal) override;
  void on_exchange_recorded() override { has_line_ = true; }
  void on_leg_done(Ending ending) override;

  void on_connect_allowed(Context& context) override;
  void on_connect_refused(const Refusal& refusal, const Context& context) override;

  void on_splice_done() override;
  void on_splice_refused(const Refusal& refusal) override;
  bool may_splice() override;

  [[nodiscard]] Context blank_context();
  [[nodiscard]] audit::Record tunnel_record(audit::Event event) const;
  void begin_proxy_tls();
  void look_at_proxy_hello();
  void refuse_proxy_tls(const base::Error& error);
  void sniff();
  void start_tls();
  void start_leg();
  void start_splice();
  [[nodiscard]] base::Result<void> check_hello(const tls::ClientHello& hello);
  void refuse_tunnel(const Refusal& refusal);
  void end(Ending ending);
  void start_timer(std::chrono::milliseconds delay);
  void on_timer();

  Services& services_;
  std::string client_;
  std::shared_ptr<ClientMemory> memory_;
  // What a connection that closes gently still takes, when its session has gone.
  struct Lingering {
    Lingering(std::shared_ptr<void> the_seat, std::shared_ptr<ClientMemory> memory)
        : seat(std::move(the_seat)), share(std::move(memory)) {}
    std::shared_ptr<void> seat;
    MemoryShare share;
  };
  std::shared_ptr<Lingering> lingering_;
  Owner& owner_;
  Transport transport_;
  std::unique_ptr<net::Timer> timer_;  // of the handshakes: a tunnel that serves has none
  Stage stage_ = Stage::kProxy;
  std::unique_ptr<Tunnel> tunnel_;
  std::unique_ptr<H1ClientLeg> proxy_leg_;
  std::unique_ptr<ConnectAttempt> attempt_;
  std::unique_ptr<ClientLeg> leg_;  // inside the tunnel
  std::unique_ptr<Splice> splice_;
  std::vector<base::SocketAddress> addresses_;  // checked at CONNECT; for a splice
  std::string sniffed_;
  bool is_clear_tunnel_ = false;  // HTTP without TLS inside a tunnel
  bool has_spoken_ = false;       // the first byte has been looked at
  bool has_line_ = false;
  bool is_draining_ = false;
};

}  // namespace leash::proxy
