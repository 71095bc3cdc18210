#include "proxy/session.h"

#include <algorithm>
#include <utility>

#include "proxy/error_page.h"
#include "proxy/h2_client_leg.h"
#include "proxy/records.h"
#include "tls/client_hello.h"

namespace leash::proxy {
namespace {

using base::Code;
using base::Error;
using base::Fault;

constexpr char kTlsHandshakeRecord = 0x16;
constexpr std::chrono::milliseconds kDrainGrace{2000};
constexpr std::size_t kSniffBytes = 32;  // no longer method is accepted by the parser
constexpr std::string_view kEstablished = "HTTP/1.1 200 Connection established\r\n\r\n";

enum class Speech { kUnknownYet, kTls, kHttp, kOther };

// What the first bytes inside a tunnel are.
Speech speech_of(std::string_view bytes) {
  if (bytes.empty()) return Speech::kUnknownYet;
  if (bytes[0] == kTlsHandshakeRecord) return Speech::kTls;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] == ' ') return i > 0 ? Speech::kHttp : Speech::kOther;
    if (bytes[i] < 'A' || bytes[i] > 'Z') return Speech::kOther;
  }
  return bytes.size() > kSniffBytes ? Speech::kOther : Speech::kUnknownYet;
}

}  // namespace

Session::Session(Services& services, base::Fd fd, const net::Peer& peer, ClientCounts::Place place,
                 Owner& owner)
    : services_(services),
      client_(peer.name()),
      memory_(std::move(place.memory)),
      lingering_(std::make_shared<Lingering>(std::move(place.seat), memory_)),
      owner_(owner),
      transport_(services.loop, std::move(fd), *this),
      proxy_leg_(std::make_unique<H1ClientLeg>(services, transport_, *this,
                                               H1ClientLeg::Role::kProxy,
                                               services.shared.settings.limits.head_time)) {
  transport_.keep_to_the_end(lingering_);
  count(services_.shared.metrics.connections);
  services_.shared.metrics.connections_open.fetch_add(1, std::memory_order_relaxed);
}

Session::~Session() {
  // Exchanges and attempts put their outcome on record when they are cut, so end() has run before
  // this.
  services_.shared.metrics.connections_open.fetch_sub(1, std::memory_order_relaxed);
}

Context Session::blank_context() {
  Context context;
  context.id = services_.next_id();
  context.client = client_;
  context.agent = client_;
  context.memory = memory_;
  context.start = services_.loop.now();
  context.tunnel = tunnel_.get();
  return context;
}

base::Result<Context> Session::make_context(http::RequestHead&& head) {
  Context context = blank_context();
  if (tunnel_) {
    const bool is_tls = !is_clear_tunnel_;
    context.scheme = is_tls ? "https" : "http";
    if (!head.scheme.empty() && head.scheme != context.scheme) {
      return base::fail(Code::kBadTarget, Fault::kClient,
                        "scheme " + head.scheme + " inside a tunnel of " + context.scheme);
    }
    if (head.target) head.host = head.target;
    context.authority = tunnel_->target;
  } else if (head.target) {
    // https:// in clear text to a proxy would have to be upgraded silently.
    if (head.scheme != "http")
      return base::fail(Code::kBadTarget, Fault::kClient, "https needs CONNECT");
    context.scheme = "http";
    context.authority = *head.target;
  } else if (head.host && !head.host->host.empty()) {
    context.scheme = "http";
    context.authority = *head.host;
    if (context.authority.port == 0) context.authority.port = 80;
  } else {
    return base::fail(Code::kHostMissing, Fault::kClient, "no host, destination unknown");
  }
  context.head = std::move(head);
  return context;
}

void Session::on_connect(http::RequestHead head) {
  Context context = blank_context();
  context.is_connect = true;
  context.scheme = "https";
  context.authority = *head.target;
  context.head = std::move(head);
  attempt_ = std::make_unique<ConnectAttempt>(services_, *this, std::move(context));
  attempt_->start();
}

void Session::on_connect_refused(const Refusal& refusal, const Context& context) {
  has_line_ = true;
  Answer answer = answer_for(refusal, context);
  services_.loop.bury(std::move(attempt_));
  proxy_leg_->refuse_connect(answer);
}

void Session::on_connect_allowed(Context& context) {
  has_line_ = true;
  tunnel_ = std::make_unique<Tunnel>();
  tunnel_->id = context.id;
  tunnel_->target = context.authority;
  tunnel_->decision = context.decision;
  tunnel_->generation = context.snapshot->generation;
  tunnel_->start = context.start;
  addresses_ = std::move(context.addresses);
  services_.shared.metrics.tunnels_open.fetch_add(1, std::memory_order_relaxed);
  services_.loop.bury(std::move(attempt_));
  std::string leftover = proxy_leg_->take_leftover();
  const bool has_client_ended = proxy_leg_->is_at_eof();
  services_.loop.bury(std::move(proxy_leg_));
  transport_.write(kEstablished);
  transport_.flush();
  stage_ = Stage::kSniffing;
  start_timer(services_.shared.settings.limits.client_handshake_time);
  transport_.resume_reading();
  if (tunnel_->decision.tls == policy::TlsMode::kSplice) start_splice();
  if (!leftover.empty()) on_bytes(leftover);
  if (has_client_ended) on_eof(End::kClean);
}

// A client that speaks TLS to the proxy's own port ("https://" in its proxy variable). Only our
// own names get a leaf here; what comes inside is the same as in clear.
void Session::begin_proxy_tls() {
  (void)proxy_leg_->take_leftover();
  services_.loop.bury(std::move(proxy_leg_));
  stage_ = Stage::kProxyHello;
  start_timer(services_.shared.settings.limits.client_handshake_time);
}

void Session::look_at_proxy_hello() {
  const auto hello = tls::peek_client_hello(sniffed_);
  if (!hello) {
    refuse_proxy_tls(hello.error());
    return;
  }
  if (!*hello) return;
  const auto local = transport_.local_address();
  const auto name =
      services_.shared.names.choose((*hello)->sni, local ? std::optional(local->ip) : std::nullopt);
  stage_ = Stage::kProxyHandshake;
  count(services_.shared.metrics.client_handshakes);
  tls::ServerContext::Options options;
  if (name) options.authority = {*name, local ? local->port : std::uint16_t{0}};
  options.ticket_scope = "proxy " + client_;
  options.on_hello = [sni = (*hello)->sni, name](const tls::ClientHello& read) {
    if (!name) return base::Result<void>(tl::unexpected(name.error()));
    if (read.sni == sni) return base::Result<void>();
    return base::Result<void>(
        base::fail(Code::kBadClientHello, Fault::kClient, "read in two ways"));
  };
  options.on_resumed = [this](const base::Result<void>& result) { transport_.resume_tls(result); };
  const std::string first = std::exchange(sniffed_, {});
  transport_.start_tls(services_.client_tls.accept(std::move(options)), first);
}

void Session::refuse_proxy_tls(const Error& error) {
  Refusal refusal = refusal_for(error);
  if (error.code != Code::kTlsClient && error.code != Code::kNameMismatch &&
      error.code != Code::kTlsTimeout && error.code != Code::kSignerUnavailable) {
    refusal.reason = "tls_client";
    refusal.detail = error.text();
  }
  refusal.event = audit::Event::kError;
  record_error(refusal);
  end(Ending::kGently);
}

void Session::sniff() {
  switch (speech_of(sniffed_)) {
    case Speech::kUnknownYet:
      return;
    case Speech::kTls:
      start_tls();
      return;
    case Speech::kHttp:
      is_clear_tunnel_ = true;
      start_leg();
      return;
    case Speech::kOther:
      refuse_tunnel(
          Refusal{.event = audit::Event::kError, .reason = "not_http", .must_close = true});
      return;
  }
}

void Session::start_tls() {
  stage_ = Stage::kHandshake;
  count(services_.shared.metrics.client_handshakes);
  tls::ServerContext::Options options;
  options.authority = tunnel_->target;
  // After a change of policy, a name is judged by a full handshake.
  options.ticket_scope = client_ + " " + std::to_string(tunnel_->generation);
  options.offer_h2 = true;
  options.on_hello = [this](const tls::ClientHello& hello) { return check_hello(hello); };
  options.on_resumed = [this](const base::Result<void>& result) { transport_.resume_tls(result); };
  const std::string first = std::exchange(sniffed_, {});
  transport_.start_tls(services_.client_tls.accept(std::move(options)), first);
}

base::Result<void> Session::check_hello(const tls::ClientHello& hello) {
  if (!hello.sni) return {};
  tunnel_->sni = *hello.sni;
  const auto name = base::Host::parse(*hello.sni);
  if (name && *name == tunnel_->target.host) return {};
  tunnel_->names = "mismatch: sni " + *hello.sni;
  if (services_.shared.policy.for_decision().snapshot->mode == policy::Mode::kAudit) return {};
  return base::fail(Code::kNameMismatch, Fault::kClient, "sni " + *hello.sni);
}

void Session::on_established() {
  if (stage_ != Stage::kHandshake && stage_ != Stage::kProxyHandshake) return;
  if (transport_.engine()->session().was_resumed) count(services_.shared.metrics.client_resumed);
  if (stage_ == Stage::kHandshake) {
    start_leg();
    return;
  }
  stage_ = Stage::kProxy;
  timer_.reset();
  proxy_leg_ =
      std::make_unique<H1ClientLeg>(services_, transport_, *this, H1ClientLeg::Role::kProxy,
                                    services_.shared.settings.limits.head_time);
}

void Session::start_leg() {
  stage_ = Stage::kTunnel;
  timer_.reset();
  const bool is_h2 = !is_clear_tunnel_ && transport_.engine()->session().alpn == "h2";
  if (is_h2) {
    leg_ = std::make_unique<H2ClientLeg>(services_, transport_, *this);
  } else {
    leg_ = std::make_unique<H1ClientLeg>(services_, transport_, *this, H1ClientLeg::Role::kTunnel,
                                         services_.shared.settings.limits.client_idle_time);
  }
  if (is_draining_) leg_->drain();
  if (stage_ != Stage::kTunnel) return;
  if (!sniffed_.empty()) leg_->on_bytes(std::exchange(sniffed_, {}));
}

void Session::start_splice() {
  stage_ = Stage::kSplice;
  timer_.reset();
  splice_ = std::make_unique<Splice>(services_, transport_, *tunnel_, addresses_, memory_, *this);
}

void Session::on_splice_done() {
  tunnel_->names.clear();
  end(Ending::kGently);
}

void Session::on_splice_refused(const Refusal& refusal) { refuse_tunnel(refusal); }

bool Session::may_splice() {
  const auto current = services_.shared.policy.for_decision();
  recheck(*current.snapshot);
  // A file that is being written is not waited for: what either reading refuses is refused.
  if (current.unsettled) recheck(*current.unsettled);
  return stage_ == Stage::kSplice;
}

audit::Record Session::tunnel_record(audit::Event event) const {
  audit::Record record;
  record.event = event;
  record.client = client_;
  record.host = tunnel_->target.host.text();
  record.port = tunnel_->target.port;
  record.id = tunnel_->id;
  record.agent = client_;
  record.sni = tunnel_->sni;
  record.names = tunnel_->names;
  record.rule = tunnel_->decision.rule;
  record.note = tunnel_->decision.note;
  if (splice_) {
    record.tls = "splice";
    if (splice_->address().port != 0) record.addr = splice_->address().text();
  }
  record.ms =
      std::chrono::duration<double, std::milli>(services_.loop.now() - tunnel_->start).count();
  record.bytes_up = tunnel_->bytes_up;
  record.bytes_down = tunnel_->bytes_down;
  if (tunnel_->requests > 0) record.extra_numbers.emplace_back("requests", tunnel_->requests);
  return record;
}

void Session::refuse_tunnel(const Refusal& refusal) {
  audit::Record record = tunnel_record(refusal.event);
  fill_reason(record, refusal);
  count_refusal(services_.shared.metrics, refusal);
  services_.shared.log.append(record);
  has_line_ = true;
  end(Ending::kGently);
}

void Session::record_error(const Refusal& refusal) {
  has_line_ = true;
  count_refusal(services_.shared.metrics, refusal);
  audit::Record record;
  if (tunnel_) {
    record = tunnel_record(refusal.event);
    record.id = services_.next_id();
    record.tunnel = tunnel_->id;
    record.ms.reset();
    record.bytes_up.reset();
    record.bytes_down.reset();
    record.extra_numbers.clear();
  } else {
    record.event = refusal.event;
    record.client = client_;
    record.id = services_.next_id();
    record.agent = client_;
  }
  fill_reason(record, refusal);
  services_.shared.log.append(record);
}

void Session::on_bytes(std::string_view plain) {
  switch (stage_) {
    case Stage::kProxy:
      if (!std::exchange(has_spoken_, true) && plain.front() == kTlsHandshakeRecord) {
        begin_proxy_tls();
        on_bytes(plain);
        return;
      }
      proxy_leg_->on_bytes(plain);
      return;
    case Stage::kProxyHello:
      sniffed_.append(plain);
      look_at_proxy_hello();
      return;
    case Stage::kSniffing:
      sniffed_.append(plain);
      sniff();
      return;
    case Stage::kTunnel:
      leg_->on_bytes(plain);
      return;
    case Stage::kSplice:
      splice_->on_client_bytes(plain);
      return;
    case Stage::kProxyHandshake:
    case Stage::kHandshake:
    case Stage::kDone:
      return;
  }
}

void Session::on_eof(End end_kind) {
  switch (stage_) {
    case Stage::kProxy:
      proxy_leg_->on_eof(end_kind);
      return;
    case Stage::kTunnel:
      leg_->on_eof(end_kind);
      return;
    case Stage::kSplice:
      splice_->on_client_eof();
      return;
    case Stage::kProxyHello:
    case Stage::kProxyHandshake:
      refuse_proxy_tls(Error{Code::kClosedEarly, Fault::kClient, "during the TLS handshake"});
      return;
    case Stage::kSniffing:
    case Stage::kHandshake:
      end(Ending::kGently);
      return;
    case Stage::kDone:
      return;
  }
}

void Session::on_error(Error error) {
  switch (stage_) {
    case Stage::kProxy:
      proxy_leg_->on_error(std::move(error));
      end(Ending::kAtOnce);
      return;
    case Stage::kTunnel:
      leg_->on_error(std::move(error));
      end(Ending::kAtOnce);
      return;
    case Stage::kProxyHello:
    case Stage::kProxyHandshake:
      refuse_proxy_tls(error);
      return;
    case Stage::kHandshake: {
      Refusal refusal = refusal_for(error);
      if (error.code == Code::kNameMismatch) {
        refusal.event = audit::Event::kBlocked;
      } else if (error.code != Code::kTlsClient && error.code != Code::kSignerUnavailable) {
        refusal.reason = "tls_client";
        refusal.detail = error.text();
      }
      refuse_tunnel(refusal);
      return;
    }
    case Stage::kSplice:
    case Stage::kSniffing:
    case Stage::kDone:
      end(Ending::kAtOnce);
      return;
  }
}

void Session::on_drained() {
  if (stage_ == Stage::kProxy) {
    proxy_leg_->on_drained();
  } else if (stage_ == Stage::kTunnel) {
    leg_->on_drained();
  } else if (stage_ == Stage::kSplice) {
    splice_->on_client_drained();
  }
}

void Session::on_leg_done(Ending ending) { end(ending); }

void Session::start_timer(std::chrono::milliseconds delay) {
  if (!timer_) timer_ = std::make_unique<net::Timer>(services_.loop, [this] { on_timer(); });
  timer_->start(delay);
}

void Session::on_timer() {
  if (is_draining_) {
    end(Ending::kGently);
    return;
  }
  count(services_.shared.metrics.limit_handshake_time);
  if (stage_ == Stage::kSniffing) {
    refuse_tunnel(Refusal{.event = audit::Event::kError,
                          .reason = "not_http",
                          .detail = "silence after CONNECT",
                          .must_close = true});
    return;
  }
  const Error late{Code::kTlsTimeout, Fault::kClient, "TLS handshake with the client"};
  if (!tunnel_) {
    refuse_proxy_tls(late);
    return;
  }
  refuse_tunnel(refusal_for(late));
}

void Session::recheck(const policy::Snapshot& snapshot) {
  if (stage_ == Stage::kDone) return;
  if (!tunnel_) {
    if (attempt_) attempt_->recheck();
    if (proxy_leg_) proxy_leg_->recheck(snapshot);
    return;
  }
  const policy::Facts facts{
      .host = tunnel_->target.host, .port = tunnel_->target.port, .method = {}, .path = {}};
  const policy::Decision decision =
      policy::decide(snapshot, facts, std::chrono::system_clock::now());
  // The addresses that were checked at CONNECT are a spliced tunnel's for good, so they are judged
  // again: the one it has, or all that it may yet get.
  const policy::AddressGuard& guard = services_.shared.guard;
  const bool is_connected = splice_ && splice_->address().port != 0;
  const bool is_address_refused =
      is_connected ? !guard.refusal(splice_->address(), decision).empty()
                   : splice_ && guard.first_refused(addresses_, decision) != nullptr;
  const bool must_intercept = splice_ && decision.tls != policy::TlsMode::kSplice;
  if (decision.is_allowed && !is_address_refused && !must_intercept) {
    tunnel_->decision = decision;
    if (leg_) leg_->recheck(snapshot);
    return;
  }
  count(services_.shared.metrics.policy_cuts);
  if (leg_) leg_->recheck(snapshot);
  if (stage_ == Stage::kDone) return;
  Refusal refusal{
      .reason = std::string(decision.is_allowed ? "address_not_allowed" : decision.reason),
      .detail = "policy_change",
      .must_close = true};
  if (must_intercept && decision.is_allowed && !is_address_refused)
    refusal.reason = "no_longer_spliced";
  refuse_tunnel(refusal);
}

void Session::drain() {
  is_draining_ = true;
  if (stage_ == Stage::kProxy) {
    proxy_leg_->drain();
  } else if (stage_ == Stage::kTunnel) {
    leg_->drain();
  } else if (stage_ == Stage::kSniffing || stage_ == Stage::kHandshake ||
             stage_ == Stage::kProxyHello || stage_ == Stage::kProxyHandshake) {
    // Its request is on the way as well; whoever is silent all the same is not waited for long.
    start_timer(std::min(kDrainGrace, services_.shared.settings.limits.client_handshake_time));
  }
}

void Session::cut() {
  const Error error{Code::kShutdown, Fault::kProxy, "leash is stopping"};
  if (stage_ == Stage::kProxy) {
    proxy_leg_->cut(error);
  } else if (stage_ == Stage::kTunnel) {
    leg_->cut(error);
  }
  end(Ending::kAtOnce);
}

void Session::end(Ending ending) {
  if (stage_ == Stage::kDone) return;
  stage_ = Stage::kDone;
  if (timer_) timer_->stop();  // maybe inside its callback
  // Whatever still runs is put on record.
  const Error over{Code::kClosedEarly, Fault::kClient, "the connection ended"};
  if (proxy_leg_) proxy_leg_->cut(over);
  if (leg_) leg_->cut(over);
  if (attempt_) {
    attempt_.reset();
    has_line_ = true;
  }
  if (splice_) {
    splice_->close();
    count(services_.shared.metrics.bytes_up, tunnel_->bytes_up);
    count(services_.shared.metrics.bytes_down, tunnel_->bytes_down);
  }
  if (tunnel_) {
    services_.shared.metrics.tunnels_open.fetch_sub(1, std::memory_order_relaxed);
    services_.shared.log.append(tunnel_record(audit::Event::kTunnelClosed));
  } else if (!has_line_) {
    // Each accepted connection leaves at least one line.
    record_error(refusal_for(Error{Code::kClosedEarly, Fault::kClient, "no request"}));
  }
  if (ending == Ending::kGently) {
    lingering_->share.set(transport_.queued_bytes());
    transport_.close_gently();
  } else {
    transport_.close();
  }
  owner_.on_session_done(*this);
}

}  // namespace leash::proxy
