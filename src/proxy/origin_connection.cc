#include "proxy/origin_connection.h"

#include <utility>

#include "proxy/h1_origin_leg.h"
#include "proxy/h2_origin_leg.h"

namespace leash::proxy {

using base::Code;
using base::Error;
using base::Fault;

OriginConnection::OriginConnection(net::Loop& loop, tls::ClientContext& tls,
                                   const config::Limits& limits, Key key, Owner& owner)
    : loop_(loop),
      tls_(tls),
      limits_(limits),
      key_(std::move(key)),
      owner_(owner),
      timer_(loop, [this] { on_timer(); }) {}

OriginConnection::~OriginConnection() = default;

void OriginConnection::dial(std::vector<base::SocketAddress> addresses) {
  dialling_ = net::dial(loop_, std::move(addresses), limits_.connect_time,
                        [this](base::Result<net::Dialled> dialled) {
                          loop_.bury(std::move(dialling_));
                          if (!dialled) {
                            owner_.on_failed(*this, dialled.error());
                            return;
                          }
                          facts_.address = dialled->address;
                          transport_ =
                              std::make_unique<Transport>(loop_, std::move(dialled->fd), *this);
                          owner_.on_connected(*this);
                          if (!transport_->is_open()) return;
                          if (key_.scheme == "https") {
                            timer_.start(limits_.origin_handshake_time);
                            tls::ClientContext::Options options;
                            options.authority = key_.authority;
                            options.session_scope = key_.agent;
                            options.offer_h2 = key_.protocol == Protocol::kAny;
                            transport_->start_tls(tls_.connect(std::move(options)), {});
                            transport_->resume_reading();
                          } else {
                            become_ready();
                          }
                        });
}

void OriginConnection::on_established() {
  const tls::Session& session = transport_->engine()->session();
  facts_.alpn = session.alpn;
  facts_.certificate_sha256 = std::make_shared<const std::string>(session.origin_cert_sha256);
  become_ready();
}

void OriginConnection::become_ready() {
  ready_since_ = idle_since_ = loop_.now();
  timer_.start(limits_.origin_idle_time);
  if (facts_.alpn == "h2") {
    leg_ = std::make_unique<H2OriginLeg>(loop_, *transport_, limits_, *this);
  } else {
    leg_ = std::make_unique<H1OriginLeg>(
        *transport_,
        http::Limits{.head_bytes = limits_.head_kb * 1024, .fields = limits_.head_fields}, *this);
  }
  is_ready_ = true;
  transport_->resume_reading();
  owner_.on_ready(*this);
}

void OriginConnection::settle() {
  if (!is_shared() && !transport_->is_quiet()) transport_->read_waiting();
}

bool OriginConnection::is_fit() const {
  return can_open() && transport_->is_open() && (is_shared() || transport_->is_quiet());
}

std::unique_ptr<OriginStream> OriginConnection::open(OriginEvents& events) {
  timer_.stop();
  facts_.was_reused = std::exchange(was_used_, true);
  return leg_->open(events, facts_);
}

void OriginConnection::close() {
  timer_.stop();
  loop_.bury(std::move(dialling_));
  if (transport_) transport_->close();
}

void OriginConnection::fail(Error error) {
  timer_.stop();
  if (transport_) transport_->close();
  owner_.on_failed(*this, std::move(error));
}

void OriginConnection::on_timer() {
  if (!is_ready_) {
    fail(Error{Code::kTlsTimeout, Fault::kOrigin, "TLS handshake with " + facts_.address.text()});
    return;
  }
  is_gone_ = true;
  close();
  owner_.on_gone(*this);
}

void OriginConnection::on_bytes(std::string_view plain) {
  if (leg_) leg_->on_bytes(plain);
}

void OriginConnection::on_eof(End end) {
  if (leg_) {
    leg_->on_eof(end);
  } else {
    fail(Error{Code::kTlsServer, Fault::kOrigin, "closed during the handshake"});
  }
}

void OriginConnection::on_error(Error error) {
  if (leg_) {
    leg_->on_error(std::move(error));
    return;
  }
  if (error.code != Code::kTlsServer) {
    error = Error{Code::kTlsServer, Fault::kOrigin, "closed during the handshake"};
  }
  error.fault = Fault::kOrigin;
  fail(std::move(error));
}

void OriginConnection::on_drained() {
  if (leg_) leg_->on_drained();
}

void OriginConnection::on_leg_changed() {
  if (is_gone_) return;
  const bool is_over = leg_->is_broken() || !transport_->is_open() || (is_ready_ && is_old());
  if (is_over && leg_->is_unused()) {
    is_gone_ = true;
    // An HTTP/2 leg may still have a GOAWAY to send.
    if (leg_->is_shared()) {
      timer_.stop();
      transport_->close_gently();
    } else {
      close();
    }
    owner_.on_gone(*this);
    return;
  }
  if (is_over) return;
  if (leg_->is_unused()) {
    idle_since_ = loop_.now();
    timer_.start(limits_.origin_idle_time);
    transport_->trim();
  }
  if (can_open()) owner_.on_free(*this);
}

}  // namespace leash::proxy
