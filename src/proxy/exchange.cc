#include "proxy/exchange.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
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

// What an exchange costs with nothing in it: itself, its records, its events.
constexpr std::size_t kEmptyBytes = 4096;

// What a field costs beside its text.
constexpr std::size_t kFieldBytes = sizeof(http::Field);

std::size_t bytes_of(const http::Fields& fields) {
  std::size_t bytes = 0;
  for (const http::Field& field : fields.all()) {
    bytes += kFieldBytes + field.name.size() + field.value.size();
  }
  return bytes;
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

Exchange::Exchange(Services& services, ClientStream& client, Owner& owner, Context&& context)
    : services_(services),
      client_(client),
      owner_(owner),
      context_(std::move(context)),
      timer_(services.loop, [this] { on_idle_check(); }),
      share_(context_.memory),
      head_bytes_(kEmptyBytes + context_.head.path.size() + bytes_of(context_.head.fields)),
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
  if (context_.head.body.is_expected()) {
    request_capture_.emplace(context_.memory->captures(), capture_bytes(services_));
  }
  websocket_key_ = http::websocket_key(context_.head);
  context_.logged_url = shared.redactor.url(context_.url());
  timer_.start(shared.settings.limits.exchange_idle_time);
  share_.set(head_bytes_);
  if (share_.memory().level() >= ClientMemory::Level::kFull) {
    refuse(refusal_for(Error{Code::kClientMemory, Fault::kProxy, "of this client's connections"}));
    return;
  }
  pass(services_.policy, &Exchange::check_names);
}

void Exchange::pass(Gate& gate, Step next) {
  next_ = next;
  // No more than a pointer is captured, so that the function needs no memory of its own.
  auto held =
      gate.check(context_, [this](std::optional<Refusal> refusal) { on_gate(std::move(refusal)); });
  if (held) pending_ = std::move(held);
}

void Exchange::on_gate(std::optional<Refusal> refusal) {
  services_.loop.bury(std::move(pending_));
  if (phase_ == Phase::kDone) return;
  if (!refusal) {
    (this->*next_)();
  } else if (next_ == &Exchange::judge_addresses) {
    refuse_changed(std::move(*refusal));
  } else {
    refuse(std::move(*refusal));
  }
}

void Exchange::check_names() { pass(services_.names, &Exchange::find_origin); }

OriginPool::Key Exchange::pool_key() const {
  const auto protocol =
      needs_http1_ ? OriginConnection::Protocol::kHttp1 : OriginConnection::Protocol::kAny;
  return {context_.agent, context_.scheme, context_.authority, protocol};
}

std::unique_ptr<OriginStream> Exchange::take_pooled() {
  return services_.pool.take(
      pool_key(),
      [this](const base::SocketAddress& address) {
        return services_.shared.guard.refusal(address, context_.decision).empty();
      },
      *this);
}

void Exchange::find_origin() {
  origin_ = take_pooled();
  if (origin_) {
    record_intent();
  } else {
    find_addresses();
  }
}

void Exchange::find_addresses() {
  // A name server may take seconds, and who tells of a change may come after its answer.
  is_stale_ = true;
  pass(services_.addresses, &Exchange::record_intent);
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
    // The policy may have changed since it was asked. Its file may be being written, so this waits.
    pass(services_.policy, &Exchange::judge_addresses);
    return;
  }
  if (origin_) {
    begin();
    return;
  }
  if (context_.addresses.empty()) {
    // The pooled connection that was reserved has died while the intent was written.
    find_addresses();
    return;
  }
  // The tunnel's own connection, which was still coming when it was looked for, may have come while
  // the intent was written. A second try has had its chance with one of these.
  if (!was_retried_) origin_ = take_pooled();
  if (origin_) {
    begin();
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
                                   // That took a while, or it is somebody else's dial, judged by
                                   // another policy.
                                   phase_ = Phase::kDeciding;
                                   is_stale_ = true;
                                   reach_origin();
                                 });
}

void Exchange::judge_addresses() {
  if (const auto* address = refused_address()) {
    refuse_changed(Refusal{.reason = "address_not_allowed", .address = address->text()});
    return;
  }
  reach_origin();
}

// What was allowed when its intent went on record.
void Exchange::refuse_changed(Refusal refusal) {
  count(services_.shared.metrics.policy_cuts);
  if (refusal.detail.empty()) refusal.detail = "policy_change";
  refuse(std::move(refusal));
}

void Exchange::begin() {
  phase_ = Phase::kRelaying;
  facts_ = origin_->facts();
  touch();
  http::RequestHead& head = context_.head;
  if (!request_headers_) {
    request_headers_ = header_json(head.fields, services_.shared.redactor);
    // A byte of the head may be six there.
    head_bytes_ += request_headers_->size();
    if (!weigh()) return;
  }
  base::Authority shown = context_.authority;
  if (!context_.names.empty() && head.host) {
    shown.host = head.host->host;
    if (head.host->port != 0) shown.port = head.host->port;
  }
  http::prepare_for_origin(head, shown, context_.scheme);
  stamp_source(head.fields, Stamp::kSet);
  if (websocket_key_) {
    head.upgrade = "websocket";
    // What is compressed could not be read for the log.
    if (captures_websocket()) head.fields.remove("sec-websocket-extensions");
  }
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

// The identity host believes this field, so it is ours alone: not the client's to set, to spell
// with an underscore (which CGI takes for the same), or to have removed by naming it in Connection.
void Exchange::stamp_source(http::Fields& fields, Stamp stamp) const {
  const std::string& identity_host = services_.shared.settings.identity_host;
  if (identity_host.empty() || context_.authority.host.text() != identity_host) return;
  std::erase_if(fields.all(), [](const http::Field& field) {
    std::string name = base::lower(field.name);
    std::replace(name.begin(), name.end(), '_', '-');
    return name == "x-agent-source";
  });
  if (stamp == Stamp::kSet) fields.set("X-Agent-Source", context_.client);
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
  if (!weigh()) return;
  if (origin_ && origin_->queued_bytes() > buffer_bytes()) client_.pause_body();
}

void Exchange::on_request_end(http::Fields trailers) {
  if (phase_ == Phase::kDone) return;
  request_ended_ = true;
  if (phase_ == Phase::kRefused) {
    answer_refusal();
    return;
  }
  stamp_source(trailers, Stamp::kRemove);
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

// Of the connection it has, or of those that it may yet get.
const base::SocketAddress* Exchange::refused_address() const {
  const policy::AddressGuard& guard = services_.shared.guard;
  if (!origin_) return guard.first_refused(context_.addresses, context_.decision);
  const base::SocketAddress& address = origin_->facts().address;
  return guard.refusal(address, context_.decision).empty() ? nullptr : &address;
}

void Exchange::recheck(const policy::Snapshot& snapshot) {
  if (phase_ == Phase::kDone || phase_ == Phase::kRefused) return;
  if (phase_ == Phase::kDeciding) {
    is_stale_ = true;
    return;
  }
  context_.decision = decide_now(snapshot, context_);
  Refusal refusal;
  if (!context_.decision.is_allowed) {
    refusal.reason = std::string(context_.decision.reason);
  } else if (const auto* address = refused_address()) {
    refusal.reason = "address_not_allowed";
    refusal.address = address->text();
  } else {
    return;
  }
  count(services_.shared.metrics.policy_cuts);
  refusal.detail = "policy_change";
  refusal.must_close = true;
  if (phase_ == Phase::kRaw) {
    end_websocket(Error{Code::kBadPolicy, Fault::kProxy, refusal.reason});
    return;
  }
  fail(refusal);
}

void Exchange::on_response_head(http::ResponseHead head) {
  touch();
  if (head.is_interim()) {
    // They have no flow control of their own, so all of them together may have what one head may.
    interim_bytes_ += kFieldBytes + bytes_of(head.fields);
    if (interim_bytes_ > services_.shared.settings.limits.head_kb * 1024) {
      fail(refusal_for(Error{Code::kHeadTooLarge, Fault::kOrigin, "interim responses"}));
      return;
    }
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
  note_response(head);
  const std::string* type = head.fields.find("content-type");
  if (type != nullptr && audit::is_textual(*type)) {
    response_capture_.emplace(context_.memory->captures(), capture_bytes(services_));
  }
  http::prepare_for_client(head);
  if (head.body.framing == http::Framing::kUntilClose) head.body.framing = http::Framing::kChunked;
  head.is_persistent = true;  // that is between us and the origin
  head_sent_ = true;
  client_.send_head(head);
  count_held();
}

void Exchange::note_response(const http::ResponseHead& head) {
  response_.emplace();
  response_->status = head.status;
  response_->headers = header_json(head.fields, services_.shared.redactor);
  head_bytes_ += response_->headers.size();
  if (const auto* encoding = head.fields.find("content-encoding")) {
    response_->content_encoding = *encoding;
  }
  // A gRPC call that fails at once has its status among the head's fields.
  if (const auto* status = head.fields.find("grpc-status")) grpc_status_ = *status;
}

void Exchange::on_response_body(std::string_view bytes) {
  touch();
  bytes_down_ += bytes.size();
  if (response_capture_) response_capture_->add(bytes);
  client_.send_body(bytes);
  if (!weigh()) return;
  if (origin_ && client_.queued_bytes() > buffer_bytes()) origin_->pause_body();
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
  // An HTTP/2 connection without WebSockets (RFC 8441): nothing has been sent there.
  const bool is_wrong_protocol =
      is_untouched && websocket_key_ && !needs_http1_ && error.code == Code::kUpgradeRefused;
  if (is_wrong_protocol || may_try_again(error, is_untouched)) {
    (is_wrong_protocol ? needs_http1_ : was_retried_) = true;
    phase_ = Phase::kDeciding;
    context_.addresses.clear();
    request_forwarded_ = false;
    // A body that is yet to come waits for the second try.
    if (!request_ended_) client_.pause_body();
    find_addresses();
    return;
  }
  fail(refusal_for(error));
}

bool Exchange::may_try_again(const Error& error, bool is_untouched) const {
  if (!is_untouched || was_retried_ || head_sent_ || bytes_up_ > 0) return false;
  // The origin says itself that it has not looked at the request (RFC 9113 s. 8.7).
  if (error.code == Code::kStreamRefused) return true;
  // It allows fewer streams than it was thought to when this one was reserved.
  if (error.code == Code::kTooManyStreams) return true;
  return facts_.was_reused && http::is_idempotent(context_.head.method);
}

std::size_t Exchange::buffer_bytes() const {
  return share_.memory().mark(services_.shared.settings.limits.buffer_kb * 1024);
}

void Exchange::count_held() {
  const auto captured = [](const std::optional<audit::Capture>& capture) {
    return capture ? capture->held_bytes() : 0;
  };
  share_.set(head_bytes_ + client_.held_bytes() + (origin_ ? origin_->queued_bytes() : 0) +
             captured(request_capture_) + captured(response_capture_));
}

bool Exchange::weigh() {
  count_held();
  if (share_.memory().level() != ClientMemory::Level::kOver) return true;
  cut(Error{Code::kClientMemory, Fault::kProxy, "of this client's connections"});
  return false;
}

void Exchange::on_client_drained() {
  touch();
  count_held();
  if (origin_) origin_->resume_body();
}

void Exchange::on_origin_drained() {
  touch();
  count_held();
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
  if (refusal.event == audit::Event::kBlocked) {
    fill_bodies(record);
    if (request_headers_) record.req_headers = audit::Text::borrowed(*request_headers_);
  }
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
  const bool has_unasked = captures_websocket() && head.fields.has("sec-websocket-extensions");
  if (!websocket_key_ || !is_websocket_accepted(head, *websocket_key_) || has_unasked) {
    drop_origin();
    fail(refusal_for(base::Error{Code::kUpgradeRefused, Fault::kOrigin,
                                 "101 that was not asked for or not proven"}));
    return;
  }
  note_response(head);
  record_allowed();
  phase_ = Phase::kRaw;
  const std::size_t captured =
      captures_websocket() ? services_.shared.settings.body_limit_kb * 1024 : 0;
  websocket_ = std::make_unique<WebsocketTap>(head, context_.memory->captures(), captured);
  http::prepare_for_client(head);
  head.upgrade = "websocket";
  head_sent_ = true;
  client_.send_head(head);
  client_.resume_body();
}

void Exchange::on_client_raw(std::string_view bytes) {
  touch();
  if (phase_ != Phase::kRaw || !origin_) return;
  const auto texts = websocket_->from_client(bytes);
  if (!texts) {
    end_websocket(texts.error());
    return;
  }
  record_messages(*texts, Way::kUp);
  bytes_up_ += bytes.size();
  origin_->send_raw(bytes);
  if (!weigh()) return;
  if (origin_ && origin_->queued_bytes() > buffer_bytes()) client_.pause_body();
}

void Exchange::on_origin_raw(std::string_view bytes) {
  touch();
  if (phase_ != Phase::kRaw) return;
  const auto texts = websocket_->from_origin(bytes);
  if (!texts) {
    end_websocket(texts.error());
    return;
  }
  record_messages(*texts, Way::kDown);
  bytes_down_ += bytes.size();
  client_.send_raw(bytes);
  if (!weigh()) return;
  if (origin_ && client_.queued_bytes() > buffer_bytes()) origin_->pause_body();
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

void Exchange::record_messages(const std::vector<http::WebSocketText>& texts, Way way) {
  for (const http::WebSocketText& text : texts) {
    audit::Record record =
        base_record(audit::Event::kWebsocketMessage, context_, services_.shared.redactor);
    auto shown =
        audit::captured_text(text.text, text.is_cut, services_.shared.settings.body_limit_kb);
    (way == Way::kUp ? record.req_body : record.res_body) = std::move(shown.text);
    (way == Way::kUp ? record.req_truncated : record.res_truncated) = shown.is_truncated;
    services_.shared.log.append(record);
  }
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
  if (request_headers_) record.req_headers = audit::Text::borrowed(*request_headers_);
  record.res_headers = audit::Text::borrowed(response_->headers);
  fill_bodies(record);
  fill_transfer(record);
  if (!grpc_status_.empty()) record.extra.emplace_back("grpc_status", grpc_status_);
  record_outcome(record);
}

void Exchange::record_outcome(const audit::Record& record) {
  if (outcome_recorded_) return;
  outcome_recorded_ = true;
  if (record.event == audit::Event::kAllowed) {
    count(services_.shared.metrics.allowed);
    services_.shared.metrics.allowed_time.add(std::chrono::steady_clock::now() - context_.start);
  }
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
  if (facts_.certificate_sha256) {
    record.origin_cert = audit::Text::borrowed(*facts_.certificate_sha256);
  }
}

void Exchange::fill_bodies(audit::Record& record) {
  const auto shown = [this](const audit::Capture& capture, std::string_view encoding) {
    bool is_cut = capture.is_cut();
    if (encoding.empty()) {
      return audit::captured_text(capture.bytes(), is_cut, services_.shared.settings.body_limit_kb);
    }
    const auto decoded = http::decode_body(encoding, capture.bytes(), http::DecodeLimits{});
    // What does not decode is opaque bytes, never a reason to pass or to fail.
    if (!decoded)
      return audit::captured_text(capture.bytes(), is_cut, services_.shared.settings.body_limit_kb);
    is_cut = is_cut || decoded->is_cut;
    return audit::captured_text(decoded->bytes, is_cut, services_.shared.settings.body_limit_kb);
  };
  if (request_capture_) {
    const std::string* encoding = context_.head.fields.find("content-encoding");
    auto text = shown(*request_capture_, encoding != nullptr ? std::string_view(*encoding) : "");
    record.req_body = std::move(text.text);
    record.req_truncated = text.is_truncated;
  }
  if (response_capture_ && response_) {
    auto text = shown(*response_capture_, response_->content_encoding);
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

void Exchange::touch() { last_activity_ = services_.loop.coarse_now(); }

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
