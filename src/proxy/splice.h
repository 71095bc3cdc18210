// A tunnel that policy does not want intercepted: its ClientHello is read and compared, then bytes
// pass through unread.
#pragma once

#include <memory>
#include <string>

#include "net/dialer.h"
#include "proxy/context.h"
#include "proxy/gate.h"
#include "proxy/services.h"
#include "proxy/transport.h"
#include "tls/second_hello.h"

namespace leash::proxy {

class Splice final : public Transport::Handler {
 public:
  class Owner {
   public:
    virtual void on_splice_done() = 0;
    // A wrong or missing SNI, ECH, no TLS, no connection: then no byte has left, or only the first
    // hello where the second has another name. Or the client makes leash hold too much.
    virtual void on_splice_refused(const Refusal& refusal) = 0;
    // By the policy as it is now. False: the tunnel has been refused, as on_splice_refused() does.
    [[nodiscard]] virtual bool may_splice() = 0;

   protected:
    ~Owner() = default;
  };

  Splice(Services& services, Transport& client, Tunnel& tunnel,
         std::vector<base::SocketAddress> addresses, std::shared_ptr<ClientMemory> memory,
         Owner& owner);
  ~Splice() = default;
  Splice(const Splice&) = delete;
  Splice& operator=(const Splice&) = delete;

  // From the client.
  void on_client_bytes(std::string_view bytes);
  void on_client_eof();
  void on_client_drained();
  [[nodiscard]] const base::SocketAddress& address() const { return address_; }
  void close();

 private:
  void on_bytes(std::string_view bytes) override;
  void on_eof(End end) override;
  void on_error(base::Error error) override;
  void on_drained() override;
  void on_established() override {}

  [[nodiscard]] std::optional<Refusal> judge(const tls::ClientHello& hello);
  [[nodiscard]] bool is_right();
  // What the client has sent goes on, as far as it may. False: the tunnel has ended.
  [[nodiscard]] bool pass(std::string_view bytes);
  void dial();
  void finish();
  void on_timer();
  [[nodiscard]] bool is_above_mark(const Transport& transport) const;
  [[nodiscard]] std::size_t held_bytes() const;
  // After something was queued or held back. False: its client holds too much, and the tunnel has
  // ended.
  [[nodiscard]] bool weigh();
  void touch() { last_activity_ = services_.loop.coarse_now(); }

  Services& services_;
  Transport& client_;
  Tunnel& tunnel_;
  std::vector<base::SocketAddress> addresses_;
  Owner& owner_;
  net::Timer timer_;
  MemoryShare share_;
  std::chrono::steady_clock::time_point last_activity_;
  std::string hello_;
  std::size_t hello_bytes_ = 0;  // of the hello in there; more may have come behind it
  tls::SecondHello second_;
  std::unique_ptr<net::Pending> dialling_;
  std::unique_ptr<Transport> origin_;
  base::SocketAddress address_;
  bool client_ended_ = false;
  bool origin_ended_ = false;
  bool is_done_ = false;
};

}  // namespace leash::proxy
