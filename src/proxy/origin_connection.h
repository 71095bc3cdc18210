// One connection to an origin: dialled, with TLS where the scheme wants it, then carrying exchanges.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/settings.h"
#include "net/dialer.h"
#include "net/loop.h"
#include "proxy/h1_origin_leg.h"
#include "proxy/streams.h"
#include "proxy/transport.h"
#include "tls/engine.h"

namespace leash::proxy {

class OriginConnection final : public Transport::Handler, public H1OriginLeg::Owner {
 public:
  // An agent's connections are its own; so are a scheme's and an authority's.
  struct Key {
    std::string agent;
    std::string scheme;
    base::Authority authority;
    auto operator<=>(const Key&) const = default;
  };
  class Owner {
   public:
    virtual void on_connected(OriginConnection& connection) = 0;                  // TCP is up
    virtual void on_ready(OriginConnection& connection) = 0;                      // may carry an exchange
    virtual void on_failed(OriginConnection& connection, base::Error error) = 0;  // never became ready
    virtual void on_idle(OriginConnection& connection) = 0;                       // may carry another one
    virtual void on_gone(OriginConnection& connection) = 0;                       // is closed, or idle for too long

   protected:
    ~Owner() = default;
  };

  OriginConnection(net::Loop& loop, tls::ClientContext& tls, const config::Limits& limits, Key key, Owner& owner);
  ~OriginConnection();
  OriginConnection(const OriginConnection&) = delete;
  OriginConnection& operator=(const OriginConnection&) = delete;

  void dial(std::vector<base::SocketAddress> addresses);
  [[nodiscard]] const Key& key() const { return key_; }
  [[nodiscard]] const base::SocketAddress& address() const { return facts_.address; }
  [[nodiscard]] bool is_idle() const { return is_ready_ && !leg_->is_busy(); }
  // Nothing has come on an idle connection: it is fit to be used again.
  [[nodiscard]] bool is_quiet() const { return transport_ && transport_->is_quiet(); }
  // Only while is_idle().
  [[nodiscard]] std::unique_ptr<OriginStream> open(OriginEvents& events);
  void close();

 private:
  void on_bytes(std::string_view plain) override;
  void on_eof(End end) override;
  void on_error(base::Error error) override;
  void on_drained() override;
  void on_established() override;
  void on_leg_free(State state) override;

  void become_ready();
  void fail(base::Error error);
  void on_timer();

  net::Loop& loop_;
  tls::ClientContext& tls_;
  const config::Limits& limits_;
  Key key_;
  Owner& owner_;
  net::Timer timer_;
  std::unique_ptr<net::Pending> dialling_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<H1OriginLeg> leg_;
  OriginFacts facts_;
  bool is_ready_ = false;
  bool was_used_ = false;
};

}  // namespace leash::proxy
