// The HTTP/1 codec on a client's connection: one exchange at a time, pipelined requests answered in
// order.
#pragma once

#include <memory>
#include <string>

#include "http/h1_parser.h"
#include "net/loop.h"
#include "proxy/client_leg.h"
#include "proxy/error_page.h"
#include "proxy/exchange.h"
#include "proxy/services.h"
#include "proxy/streams.h"

namespace leash::proxy {

class H1ClientLeg final : public ClientLeg, public ClientStream, public Exchange::Owner {
 public:
  enum class Role { kProxy, kTunnel };  // only a proxy leg takes CONNECT
  // `first_wait`: how long the first byte may take.
  H1ClientLeg(Services& services, Transport& transport, LegOwner& owner, Role role,
              std::chrono::milliseconds first_wait);
  ~H1ClientLeg() override;

  void on_bytes(std::string_view plain) override;
  void on_eof(End end) override;
  void on_error(base::Error error) override;
  void on_drained() override;
  void drain() override;
  void cut(const base::Error& error) override;
  void recheck(const policy::Snapshot& snapshot) override;

  // A CONNECT was refused: the answer goes out and the connection goes on, unless it must close.
  void refuse_connect(const Answer& answer);
  // A CONNECT was allowed: what came behind its head, for whoever takes over.
  [[nodiscard]] std::string take_leftover();
  // The client has ended its direction.
  [[nodiscard]] bool is_at_eof() const { return eof_; }

 private:
  void send_interim(const http::ResponseHead& head) override;
  void send_head(const http::ResponseHead& head) override;
  void send_body(std::string_view bytes) override;
  void send_end(const http::Fields& trailers) override;
  void abort(const base::Error& error) override;
  void send_raw(std::string_view bytes) override;
  void finish_raw() override;
  void resume_body() override;
  void pause_body() override;
  [[nodiscard]] std::size_t queued_bytes() const override;
  [[nodiscard]] std::size_t held_bytes() const override;
  void on_exchange_done(Exchange& exchange, Exchange::Finish finish) override;

  void process(std::string_view fresh);
  void release_raw();
  void take_head(http::RequestHead head);
  void refuse(const Refusal& refusal);
  void end(LegOwner::Ending ending);
  void steer_reading();
  void next_request();
  // The client does not take its answers: no further request until it has.
  [[nodiscard]] bool is_clogged() const;
  void weigh();
  void on_timer();

  Services& services_;
  Transport& transport_;
  LegOwner& owner_;
  Role role_;
  http::RequestParser parser_;
  net::Timer timer_;
  MemoryShare share_;    // while no exchange counts it
  std::string pending_;  // received, not parsed yet
  std::unique_ptr<Exchange> exchange_;
  http::Version version_ = http::Version::kHttp11;
  std::string method_;
  bool waits_for_connect_ = false;
  bool wants_body_ = false;
  bool request_ended_ = false;
  bool request_persists_ = true;
  bool response_persists_ = true;
  bool response_is_chunked_ = false;
  bool is_raw_ = false;
  bool eof_ = false;
  bool eof_told_ = false;
  bool ended_ = false;
  bool is_processing_ = false;
  bool head_timed_ = false;
  bool has_sent_ = false;
  bool was_aborted_ = false;
  net::Deferred next_;  // the next request: not from inside the callback that ended the last one
};

}  // namespace leash::proxy
