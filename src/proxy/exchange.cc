#include "proxy/exchange.h"

#include <utility>

#include "http/body_decoder.h"
#include "http/forwarding.h"
#include "proxy/error_page.h"
#include "proxy/records.h"
#include "tls/digest.h"

namespace leash::proxy {
namespace {

using base::Code;
using base::Error;
using base::Fault;

// How long the rest of a refused request's body is waited for, so that the log has it.
constexpr std::chrono::milliseconds kRefusedBodyTime{5000};

std::size_t buffer_bytes(const Services& services) {
  return services.shared.settings.limits.buffer_kb * 1024;
}

// A capture holds raw bytes; a code point of the text it shows has at most four.
std::size_t capture_bytes(const Services& services) {
  return services.shared.settings.body_limit_kb * 1024 * 4 + 4;
}

bool is_websocket_accepted(const http::ResponseHead& head, const std::string& key) {
  const std::string* accept = head.fields.find("sec-websocket-accept");
  return head.fields.has_token("upgrade", "websocket") &&
         head.fields.has_token("connection", "upgrade") &&
         head.fields.count("sec-websocket-accept") == 1 && accept != nullptr &&
         *accept == tls::websocket_accept(key);
}

}  // namespace

Exchange::Exchange(Services& services, ClientStream& client, Owner& owner, Context context)
    : services_(services),
      client_(client),
      owner_(owner),
      context_(std::move(context)),
      timer_(services.loop, [this] { on_idle_check(); }),
      last_activity_(services.loop.now()),
      request_ended_(!context_.head.body.is_expected()) {
  context_.start = last_activity_;
}

Exchange::~Exchange() {
  // Whoever owns an exchange cuts it first. Should that ever be forgotten, its intent still gets
  // its outcome.
  if (outcome_recorded_ || !is_started_) return;
  const Error lost{Code::kInternal, Fault::kProxy, "the exchange was given up"};
  record_outcome(refusal_record(refusal_for(lost), context_, services_.shared.redactor));
}

void Exchange::start() {
  is_started_ = true;
  Shared& shared = services_.shared;
  count(shared.metrics.requests);
  if (context_.tunnel != nullptr) ++context_.tunnel->requests;
  if (!shared.settings.identity_host.empty() &&
      context_.authority.host.text() == shared.settings.identity_host) {
    context_.head.fields.set("X-Agent-Source", context_.client);
  }
  if (context_.head.body.is_expected()) {
    request_capture_.emplace(shared.captures, capture_bytes(services_));
  }
  websocket_key_ = http::websocket_key(context_.head);
  timer_.start(shared.settings.limits.exchange_idle_time);
  pass(services_.policy, &Exchange::check_names);
}

void Exchange::pass(Gate& gate, void (Exchange::*next)()) {
  auto held = gate.check(context_, [this, next](std::optional<Refusal> refusal) {
    services_.loop.bury(std::move(pending_));
    if (phase_ == Phase::kDone) return;
    if (refusal) {
      refuse(std::move(*refusal));
    } else {
      (this->*next)();
    }
  });
  if (held) pending_ = std::move(held);
}

void Exchange::check_names() { pass(services_.names, &Exchange::find_origin); }

OriginPool::Key Exchange::pool_key() const {
  // A WebSocket takes its connection for itself, so it asks for HTTP/1.
  const auto protocol =
      websocket_key_ ? OriginConnection::Protocol::kHttp1 : OriginConnection::Protocol::kAny;
  return {context_.agent, context_.scheme, context_.authority, protocol};
}

void Exchange::find_origin() {
  origin_ = services_.pool.take(
      pool_key(),
      [this](const base::SocketAddress& address) {
        return services_.shared.guard.refusal(address, context_.decision).empty();
      },
      *this);
  if (origin_) {
    record_intent();
  } else {
    pass(services_.addresses, &Exchange::record_intent);
  }
}

void Exchange::record_intent() {
  if (intent_recorded_) {
    reach_origin();  // a second try of the same request
    return;
  }
  pass(services_.intent, &Exchange::reach_origin);
}

void Exchange::reach_origin() {
  intent_recorded_ = true;
  if (std::exchange(is_stale_, false)) {
    // The policy has changed since it was asked.
    phase_ = Phase::kDialing;
    recheck(*services_.shared.policy.current().snapshot);
    if (phase_ == Phase::kDone) return;
    phase_ = Phase::kDeciding;
  }
  if (origin_) {
    begin();
    return;
  }
  if (context_.addresses.empty()) {
    // The pooled connection that was reserved has died while the intent was written.
    pass(services_.addresses, &Exchange::record_intent);
    return;
  }
  phase_ = Phase::kDialing;
  pending_ = services_.pool.open(pool_key(), context_.addresses, *this,
                                 [this](base::Result<std::unique_ptr<OriginStream>> opened) {
                                   services_.loop.bury(std::move(pending_));
                                   if (phase_ == Phase::kDone) return;
                                   if (!opened) {
                                     fail(refusal_for(opened.error()));
                                     return;
                                   }
                                   origin_ = std::move(*opened);
                                   begin();
                                 });
}

void Exchange::begin() {
  phase_ = Phase::kRelaying;
  facts_ = origin_->facts();
  touch();
  http::RequestHead head = context_.head;
  base::Authority shown = context_.authority;
  if (!context_.names.empty() && head.host) {
    shown.host = head.host->host;
    if (head.host->port != 0) shown.port = head.host->port;
  }
  http::prepare_for_origin(head, shown, context_.scheme);
  if (websocket_key_) head.upgrade = "websocket";
  head.scheme = context_.scheme;
  head.is_persistent = true;
  origin_->send_head(head);
  if (context_.head.expects_continue && !request_ended_) {
    http::ResponseHead go_on;
    go_on.status = 100;
    go_on.reason = "Continue";
    client_.send_interim(go_on);
  }
  if (request_ended_) {
    request_forwarded_ = true;
    origin_->send_end(request_trailers_);
  } else {
    client_.resume_body();
  }
}

void Exchange::on_request_body(std::string_view bytes) {
  bytes_up_ += bytes.size();
  touch();
  if (request_capture_) request_capture_->add(bytes);
  if (phase_ == Phase::kRefused) {
    if (!refusal_) return;
    if (request_capture_ && request_capture_->is_cut()) answer_refusal();
    return;
  }
  if (phase_ != Phase::kRelaying || !origin_) return;
  origin_->send_body(bytes);
  if (origin_ && origin_->queued_bytes() > buffer_bytes(services_)) client_.pause_body();
}

void Exchange::on_request_end(http::Fields trailers) {
  if (phase_ == Phase::kDone) return;
  request_ended_ = true;
  if (phase_ == Phase::kRefused) {
    answer_refusal();
    return;
  }
  if (phase_ == Phase::kRelaying && origin_ && !request_forwarded_) {
    request_forwarded_ = true;
    origin_->send_end(trailers);
    return;
  }
  request_trailers_ = std::move(trailers);
}

void Exchange::on_client_error(base::Error error) {
  if (phase_ == Phase::kDone) return;
  client_is_gone_ = error.code == Code::kReset || error.code == Code::kClosedEarly ||
                    error.code == Code::kTlsClient || error.code == Code::kIdleTimeout;
  if (phase_ == Phase::kRaw) {
    end_websocket(error);
    return;
  }
  if (phase_ == Phase::kRefused) {
    answer_refusal();
    return;
  }
  cut(error);
}

void Exchange::cut(const base::Error& error) {
  if (phase_ == Phase::kDone) return;
  if (phase_ == Phase::kRaw) {
    end_websocket(error);
    return;
  }
  fail(refusal_for(error));
}

void Exchange::recheck(const policy::Snapshot& snapshot) {
  if (phase_ == Phase::kDone || phase_ == Phase::kRefused) return;
  if (phase_ == Phase::kDeciding) {
    is_stale_ = true;
    return;
  }
  const policy::Decision decision = decide_now(snapshot, context_);
  Refusal refusal;
  if (!decision.is_allowed) {
    refusal.reason = std::string(decision.reason);
  } else if (origin_ &&
             !services_.shared.guard.refusal(origin_->facts().address, decision).empty()) {
    refusal.reason = "address_not_allowed";
    refusal.address = origin_->facts().address.text();
  } else {
    return;
  }
  count(services_.shared.metrics.policy_cuts);
  refusal.detail = "policy_change";
  refusal.must_close = true;
  context_.decision = decision;
  if (phase_ == Phase::kRaw) {
    end_websocket(Error{Code::kBadPolicy, Fault::kProxy, refusal.reason});
    return;
  }
  fail(refusal);
}

void Exchange::on_response_head(http::ResponseHead head) {
  touch();
  if (head.is_interim()) {
    // A 100 was given by us already; others pass to those who can read them.
    if (head.status != 100 && context_.head.version != http::Version::kHttp10) {
      http::prepare_for_client(head);
      client_.send_interim(head);
    }
    return;
  }
  if (head.status == 101) {
    begin_websocket(std::move(head));
    return;
  }
  response_ = head;
  const std::string* type = head.fields.find("content-type");
  if (type != nullptr && audit::is_textual(*type)) {
    response_capture_.emplace(services_.shared.captures, capture_bytes(services_));
  }
  http::prepare_for_client(head);
  if (head.body.framing == http::Framing::kUntilClose) head.body.framing = http::Framing::kChunked;
  head.is_persistent = true;  // that is between us and the origin
  head_sent_ = true;
  client_.send_head(head);
}

void Exchange::on_response_body(std::string_view bytes) {
  touch();
  bytes_down_ += bytes.size();
  if (response_capture_) response_capture_->add(bytes);
  client_.send_body(bytes);
  if (origin_ && client_.queued_bytes() > buffer_bytes(services_)) origin_->pause_body();
}

void Exchange::on_response_end(http::Fields trailers) {
  if (const std::string* status = trailers.find("grpc-status")) grpc_status_ = *status;
  drop_origin();
  record_allowed();
  client_.send_end(trailers);
  finish(request_ended_ ? Finish::kKeep : Finish::kClose);
}

void Exchange::on_origin_error(base::Error error, bool is_untouched) {
  if (phase_ == Phase::kDone) return;
  if (phase_ == Phase::kRaw) {
    end_websocket(error);
    return;
  }
  drop_origin();
  if (phase_ == Phase::kDeciding)
    return;  // a reserved connection died: reach_origin() finds another
  if (may_try_again(is_untouched)) {
    was_retried_ = true;
    phase_ = Phase::kDeciding;
    context_.addresses.clear();
    request_forwarded_ = false;
    pass(services_.addresses, &Exchange::record_intent);
    return;
  }
  fail(refusal_for(error));
}

bool Exchange::may_try_again(bool is_untouched) const {
  return is_untouched && facts_.was_reused && !was_retried_ && !head_sent_ && bytes_up_ == 0 &&
         http::is_idempotent(context_.head.method);
}

void Exchange::on_client_drained() {
  touch();
  if (origin_) origin_->resume_body();
}

void Exchange::on_origin_drained() {
  touch();
  if (phase_ == Phase::kRelaying || phase_ == Phase::kRaw) client_.resume_body();
}

void Exchange::refuse(Refusal refusal) {
  // An intent that could not be written has no outcome of its own kind: the line says why.
  phase_ = Phase::kRefused;
  drop_origin();
  refusal_ = std::move(refusal);
  const bool wants_body = !request_ended_ && !context_.head.expects_continue &&
                          !refusal_->must_close && context_.head.body.is_expected();
  if (!wants_body) {
    answer_refusal();
    return;
  }
  timer_.start(kRefusedBodyTime);
  client_.resume_body();
}

void Exchange::answer_refusal() {
  if (phase_ == Phase::kDone) return;
  Refusal refusal = std::move(*refusal_);
  refusal_.reset();
  if (!request_ended_ && context_.head.body.is_expected()) refusal.must_close = true;
  fail(refusal);
}

// The exchange ends without the origin's response, or with a part of it.
void Exchange::fail(const Refusal& refusal) {
  audit::Record record = refusal_record(refusal, context_, services_.shared.redactor);
  if (refusal.event == audit::Event::kBlocked) fill_bodies(record);
  count_refusal(services_.shared.metrics, refusal);
  if (intent_recorded_) fill_transfer(record);
  if (head_sent_ && response_) record.status = response_->status;
  record_outcome(record);
  drop_origin();
  if (head_sent_) {
    client_.abort(base::Error{Code::kClosedEarly, Fault::kOrigin, refusal.reason});
    finish(Finish::kClose);
    return;
  }
  if (!client_is_gone_) send_answer(refusal);
  const bool close = refusal.must_close || client_is_gone_ || !request_ended_;
  finish(close ? Finish::kClose : Finish::kKeep);
}

void Exchange::send_answer(const Refusal& refusal) {
  Answer answer = answer_for(refusal, context_);
  if (!request_ended_) answer.head.is_persistent = false;
  head_sent_ = true;
  client_.send_head(answer.head);
  if (context_.head.method != "HEAD") client_.send_body(answer.body);
  client_.send_end({});
}

void Exchange::begin_websocket(http::ResponseHead head) {
  if (!websocket_key_ || !is_websocket_accepted(head, *websocket_key_)) {
    drop_origin();
    fail(refusal_for(base::Error{Code::kUpgradeRefused, Fault::kOrigin,
                                 "101 that was not asked for or not proven"}));
    return;
  }
  response_ = head;
  record_allowed();
  phase_ = Phase::kRaw;
  websocket_ = std::make_unique<WebsocketTap>(head);
  http::prepare_for_client(head);
  head.upgrade = "websocket";
  head_sent_ = true;
  client_.send_head(head);
  client_.resume_body();
}

void Exchange::on_client_raw(std::string_view bytes) {
  touch();
  if (phase_ != Phase::kRaw || !origin_) return;
  if (const auto fine = websocket_->from_client(bytes); !fine) {
    end_websocket(fine.error());
    return;
  }
  bytes_up_ += bytes.size();
  origin_->send_raw(bytes);
  if (origin_ && origin_->queued_bytes() > buffer_bytes(services_)) client_.pause_body();
}

void Exchange::on_origin_raw(std::string_view bytes) {
  touch();
  if (phase_ != Phase::kRaw) return;
  if (const auto fine = websocket_->from_origin(bytes); !fine) {
    end_websocket(fine.error());
    return;
  }
  bytes_down_ += bytes.size();
  client_.send_raw(bytes);
  if (origin_ && client_.queued_bytes() > buffer_bytes(services_)) origin_->pause_body();
}

void Exchange::on_client_raw_end() {
  client_raw_ended_ = true;
  if (origin_) origin_->finish_raw();
  if (origin_raw_ended_) end_websocket(std::nullopt);
}

void Exchange::on_origin_raw_end() {
  origin_raw_ended_ = true;
  client_.finish_raw();
  if (client_raw_ended_) end_websocket(std::nullopt);
}

// `why`: what cut it; nullopt where both sides have ended it.
void Exchange::end_websocket(const std::optional<Error>& why) {
  if (phase_ == Phase::kDone) return;
  audit::Record record =
      base_record(audit::Event::kWebsocketClosed, context_, services_.shared.redactor);
  if (why) record.reason = why->text();
  record.addr = facts_.address.text();
  record.ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - context_.start)
          .count();
  record.bytes_up = bytes_up_;
  record.bytes_down = bytes_down_;
  websocket_->describe(record);
  count_bytes();
  services_.shared.log.append(record);
  if (why) client_.abort(*why);
  drop_origin();
  finish(Finish::kClose);
}

void Exchange::record_allowed() {
  audit::Record record = base_record(audit::Event::kAllowed, context_, services_.shared.redactor);
  record.status = response_->status;
  record.bytes = bytes_down_;
  record.would_block = context_.decision.would_block;
  record.req_headers = header_list(context_.head.fields, services_.shared.redactor);
  record.res_headers = header_list(response_->fields, services_.shared.redactor);
  fill_bodies(record);
  fill_transfer(record);
  if (grpc_status_.empty()) {
    // A gRPC call that fails at once has its status among the head's fields.
    if (const std::string* status = response_->fields.find("grpc-status")) grpc_status_ = *status;
  }
  if (!grpc_status_.empty()) record.extra.emplace_back("grpc_status", grpc_status_);
  record_outcome(record);
}

void Exchange::record_outcome(const audit::Record& record) {
  if (outcome_recorded_) return;
  outcome_recorded_ = true;
  if (record.event == audit::Event::kAllowed) count(services_.shared.metrics.allowed);
  count_bytes();
  services_.shared.log.append(record);
}

// What has passed since it was counted last.
void Exchange::count_bytes() {
  const std::uint64_t up = bytes_up_ - std::exchange(counted_up_, bytes_up_);
  const std::uint64_t down = bytes_down_ - std::exchange(counted_down_, bytes_down_);
  count(services_.shared.metrics.bytes_up, up);
  count(services_.shared.metrics.bytes_down, down);
  if (context_.tunnel == nullptr) return;
  context_.tunnel->bytes_up += up;
  context_.tunnel->bytes_down += down;
}

void Exchange::fill_transfer(audit::Record& record) {
  record.ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - context_.start)
          .count();
  record.bytes_up = bytes_up_;
  record.bytes_down = bytes_down_;
  if (facts_.address.port != 0) record.addr = facts_.address.text();
  record.alpn = facts_.alpn;
  record.origin_cert = facts_.certificate_sha256;
}

void Exchange::fill_bodies(audit::Record& record) {
  const auto shown = [this](const audit::Capture& capture, const http::Fields& fields) {
    const std::string* encoding = fields.find("content-encoding");
    bool is_cut = capture.is_cut();
    if (encoding == nullptr) {
      return audit::captured_text(capture.bytes(), is_cut, services_.shared.settings.body_limit_kb);
    }
    const auto decoded = http::decode_body(*encoding, capture.bytes(), http::DecodeLimits{});
    // What does not decode is opaque bytes, never a reason to pass or to fail.
    if (!decoded)
      return audit::captured_text(capture.bytes(), is_cut, services_.shared.settings.body_limit_kb);
    is_cut = is_cut || decoded->is_cut;
    return audit::captured_text(decoded->bytes, is_cut, services_.shared.settings.body_limit_kb);
  };
  if (request_capture_) {
    auto text = shown(*request_capture_, context_.head.fields);
    record.req_body = std::move(text.text);
    record.req_truncated = text.is_truncated;
  }
  if (response_capture_ && response_) {
    auto text = shown(*response_capture_, response_->fields);
    record.res_body = std::move(text.text);
    record.res_truncated = text.is_truncated;
  }
}

void Exchange::drop_origin() {
  if (!origin_) return;
  origin_->release();
  services_.loop.bury(std::move(origin_));
}

void Exchange::finish(Finish finish) {
  if (phase_ == Phase::kDone) return;
  phase_ = Phase::kDone;
  timer_.stop();
  services_.loop.bury(std::move(pending_));
  owner_.on_exchange_done(*this, finish);
}

void Exchange::touch() { last_activity_ = services_.loop.now(); }

void Exchange::on_idle_check() {
  if (phase_ == Phase::kRefused) {
    answer_refusal();
    return;
  }
  const auto limit = services_.shared.settings.limits.exchange_idle_time;
  const auto idle =
      std::chrono::duration_cast<std::chrono::milliseconds>(services_.loop.now() - last_activity_);
  if (idle < limit) {
    timer_.start(limit - idle);
    return;
  }
  count(services_.shared.metrics.limit_idle_time);
  cut(base::Error{Code::kIdleTimeout, Fault::kOrigin, "no byte either way"});
}

}  // namespace leash::proxy
