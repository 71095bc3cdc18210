// One connection to an origin: dialled, with TLS where the scheme wants it, then carrying
// exchanges.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/settings.h"
#include "net/dialer.h"
#include "net/loop.h"
#include "proxy/origin_leg.h"
#include "proxy/streams.h"
#include "proxy/transport.h"
#include "tls/engine.h"

namespace leash::proxy {

class OriginConnection final : public Transport::Handler, public OriginLeg::Owner {
 public:
  enum class Protocol { kAny, kHttp1 };  // what may be negotiated
  // An agent's connections are its own; so are a scheme's and an authority's.
  struct Key {
    std::string agent;
    std::string scheme;
    base::Authority authority;
    Protocol protocol = Protocol::kAny;
    auto operator<=>(const Key&) const = default;
  };
  class Owner {
   public:
    virtual void on_connected(OriginConnection& connection) = 0;  // TCP is up
    virtual void on_ready(OriginConnection& connection) = 0;      // may carry an exchange
    virtual void on_failed(OriginConnection& connection,
                           base::Error error) = 0;           // never became ready
    virtual void on_free(OriginConnection& connection) = 0;  // may carry another one
    virtual void on_gone(OriginConnection& connection) = 0;  // is closed, or idle for too long

   protected:
    ~Owner() = default;
  };

  OriginConnection(net::Loop& loop, tls::ClientContext& tls, const config::Limits& limits, Key key,
                   Owner& owner);
  ~OriginConnection();
  OriginConnection(const OriginConnection&) = delete;
  OriginConnection& operator=(const OriginConnection&) = delete;

  void dial(std::vector<base::SocketAddress> addresses);
  [[nodiscard]] const Key& key() const { return key_; }
  [[nodiscard]] const base::SocketAddress& address() const { return facts_.address; }
  [[nodiscard]] bool can_open() const { return is_ready_ && !is_old() && leg_->can_open(); }
  // HTTP/2: exchanges share it.
  [[nodiscard]] bool is_shared() const { return is_ready_ && leg_->is_shared(); }
  [[nodiscard]] bool is_unused() const { return is_ready_ && leg_->is_unused(); }
  // When its last exchange ended, or TLS was up.
  [[nodiscard]] std::chrono::steady_clock::time_point idle_since() const { return idle_since_; }
  // An idle HTTP/1 connection on which nothing has come is fit to be used again.
  [[nodiscard]] bool is_fit() const;
  // Takes in what waits on an idle connection (TLS 1.3 tickets come after the handshake): it may
  // turn out to have ended, and then the owner is told from inside.
  void settle();
  // Only while can_open().
  [[nodiscard]] std::unique_ptr<OriginStream> open(OriginEvents& events);
  void close();

 private:
  // Names move to other addresses, and certificates are revoked: no connection is used for ever.
  // But once, whatever the limit.
  [[nodiscard]] bool is_old() const {
    return was_used_ && loop_.coarse_now() - ready_since_ >= limits_.origin_age;
  }
  void on_bytes(std::string_view plain) override;
  void on_eof(End end) override;
  void on_error(base::Error error) override;
  void on_drained() override;
  void on_established() override;
  void on_leg_changed() override;

  void become_ready();
  void fail(base::Error error);
  void on_timer();

  net::Loop& loop_;
  tls::ClientContext& tls_;
  const config::Limits& limits_;
  Key key_;
  Owner& owner_;
  net::Timer timer_;
  std::chrono::steady_clock::time_point ready_since_{};
  std::chrono::steady_clock::time_point idle_since_{};
  std::unique_ptr<net::Pending> dialling_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<OriginLeg> leg_;
  OriginFacts facts_;
  bool is_ready_ = false;
  bool was_used_ = false;
  bool is_gone_ = false;
};

}  // namespace leash::proxy
