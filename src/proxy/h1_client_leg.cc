#include "proxy/h1_client_leg.h"

#include <utility>

#include "http/h1_writer.h"

namespace leash::proxy {
namespace {

using base::Code;
using base::Error;
using base::Fault;

// Pipelined bytes that are taken in while an exchange runs.
constexpr std::size_t kPendingBytes = 64 * 1024;
// A client that has ended its direction waits for its answer, but not for one that does not come.
constexpr std::chrono::milliseconds kHalfClosedTime{60'000};
constexpr std::chrono::seconds kFirstRequestGrace{1};  // while draining

}  // namespace

H1ClientLeg::H1ClientLeg(Services& services, Transport& transport, LegOwner& owner, Role role,
                         std::chrono::milliseconds first_wait)
    : services_(services),
      transport_(transport),
      owner_(owner),
      role_(role),
      parser_(http::Limits{.head_bytes = services.shared.settings.limits.head_kb * 1024,
                           .fields = services.shared.settings.limits.head_fields}),
      timer_(services.loop, [this] { on_timer(); }),
      share_(owner.memory()),
      next_(services.loop, [this] {
        if (!ended_) process({});
      }) {
  timer_.start(first_wait);
  transport_.resume_reading();
}

H1ClientLeg::~H1ClientLeg() = default;

void H1ClientLeg::on_bytes(std::string_view plain) {
  if (ended_) return;
  if (is_raw_ && exchange_) {
    exchange_->on_client_raw(plain);
    return;
  }
  process(plain);
}

void H1ClientLeg::process(std::string_view fresh) {
  if (is_processing_) {
    pending_.append(fresh);
    return;
  }
  is_processing_ = true;
  std::string held;
  std::string_view in = fresh;
  if (!pending_.empty()) {
    held = std::exchange(pending_, {});
    held.append(fresh);
    in = held;
  }
  while (!ended_ && !waits_for_connect_ && !is_raw_) {
    if (exchange_ ? request_ended_ || !wants_body_ : is_clogged()) break;
    auto event = parser_.next(in);
    if (!event) {
      in = {};
      if (exchange_) {
        exchange_->on_client_error(event.error());
      } else {
        refuse(refusal_for(event.error()));
      }
      break;
    }
    if (!*event) break;
    if (auto* head = std::get_if<http::RequestHead>(&**event)) {
      take_head(std::move(*head));
    } else if (auto* body = std::get_if<http::BodyBytes>(&**event)) {
      if (exchange_) exchange_->on_request_body(body->bytes);
    } else if (exchange_) {
      request_ended_ = true;
      exchange_->on_request_end(std::move(std::get<http::MessageEnd>(**event).trailers));
    }
  }
  pending_.insert(0, in);
  is_processing_ = false;
  if (ended_) return;
  if (is_raw_) {
    release_raw();
  } else if (!exchange_ && !waits_for_connect_ && parser_.is_in_head() && !head_timed_) {
    head_timed_ = true;
    timer_.start(services_.shared.settings.limits.head_time);
  }
  steer_reading();
  weigh();
  if (eof_ && !ended_) on_eof(End::kClean);
}

bool H1ClientLeg::is_clogged() const {
  return transport_.queued_bytes() >
         share_.memory().mark(services_.shared.settings.limits.buffer_kb * 1024);
}

std::size_t H1ClientLeg::held_bytes() const {
  return transport_.queued_bytes() + pending_.size() + parser_.held_bytes();
}

void H1ClientLeg::weigh() {
  if (exchange_ || ended_) {
    share_.set(0);
    if (exchange_ && !pending_.empty()) exchange_->on_client_held();
    return;
  }
  share_.set(held_bytes());
  if (share_.memory().level() != ClientMemory::Level::kOver || parser_.held_bytes() == 0) return;
  refuse(refusal_for(Error{Code::kClientMemory, Fault::kProxy, "a head that is not whole"}));
}

// What came behind a WebSocket handshake is the WebSocket's.
void H1ClientLeg::release_raw() {
  if (!exchange_ || pending_.empty()) return;
  const std::string raw = std::exchange(pending_, {});
  exchange_->on_client_raw(raw);
}

void H1ClientLeg::take_head(http::RequestHead head) {
  timer_.stop();
  head_timed_ = false;
  version_ = head.version;
  method_ = head.method;
  // RFC 9112 s. 9.3: an HTTP/1.0 client is not promised what it may not understand.
  request_persists_ =
      head.is_persistent && head.version != http::Version::kHttp10 && !services_.is_draining;
  response_persists_ = true;
  request_ended_ = false;
  wants_body_ = !head.body.is_expected();  // then only the end is to come
  if (head.form == http::TargetForm::kAuthority) {
    if (role_ == Role::kTunnel) {
      refuse(
          refusal_for(Error{Code::kUnsupportedMethod, Fault::kClient, "CONNECT inside a tunnel"}));
      return;
    }
    waits_for_connect_ = true;
    owner_.on_connect(std::move(head));
    return;
  }
  auto context = owner_.make_context(std::move(head));
  if (!context) {
    refuse(refusal_for(context.error()));
    return;
  }
  exchange_ = std::make_unique<Exchange>(services_, *this, *this, std::move(*context));
  exchange_->start();
}

void H1ClientLeg::steer_reading() {
  if (ended_) return;
  // While an exchange runs, reading goes on for the sake of what it tells (the client has gone), up
  // to a bound.
  const bool body_is_held = exchange_ && !request_ended_ && !wants_body_;
  if (body_is_held || (pending_.size() >= kPendingBytes) || (is_raw_ && !wants_body_)) {
    transport_.pause_reading();
  } else {
    transport_.resume_reading();
  }
}

void H1ClientLeg::refuse_connect(const Answer& answer) {
  waits_for_connect_ = false;
  response_persists_ = true;
  request_ended_ = true;
  send_head(answer.head);
  send_body(answer.body);
  send_end({});
  next_request();
}

std::string H1ClientLeg::take_leftover() {
  ended_ = true;
  timer_.stop();
  return std::exchange(pending_, {});
}

void H1ClientLeg::refuse(const Refusal& refusal) {
  owner_.record_error(refusal);
  const Answer answer = answer_for(refusal);
  response_persists_ = true;
  send_head(answer.head);
  send_body(answer.body);
  end(LegOwner::Ending::kGently);
}

void H1ClientLeg::on_eof(End) {
  eof_ = true;
  if (ended_ || waits_for_connect_) return;
  if (!exchange_) {
    if (parser_.is_in_head()) {
      owner_.record_error(
          refusal_for(Error{Code::kClosedEarly, Fault::kClient, "closed within a head"}));
    }
    end(LegOwner::Ending::kGently);
    return;
  }
  if (is_raw_) {
    if (!std::exchange(eof_told_, true)) exchange_->on_client_raw_end();
  } else if (request_ended_) {
    if (!std::exchange(eof_told_, true)) timer_.start(kHalfClosedTime);
  } else if (wants_body_ && pending_.empty()) {
    exchange_->on_client_error(
        Error{Code::kBodyIncomplete, Fault::kClient, "closed within the body"});
  }
}

void H1ClientLeg::on_error(Error error) {
  if (ended_) return;
  if (exchange_) {
    exchange_->on_client_error(std::move(error));
    return;
  }
  if (parser_.is_in_head()) owner_.record_error(refusal_for(error));
  end(LegOwner::Ending::kAtOnce);
}

void H1ClientLeg::on_drained() {
  if (exchange_) {
    exchange_->on_client_drained();
  } else if (!ended_) {
    process({});
  }
}

void H1ClientLeg::drain() {
  request_persists_ = false;
  if (exchange_ || waits_for_connect_ || parser_.is_in_head()) return;
  // Who has only just come, or has only just got its tunnel, has its first request on the way, and
  // would see it lost.
  if (method_.empty()) {
    timer_.start(kFirstRequestGrace);
  } else {
    end(LegOwner::Ending::kGently);
  }
}

void H1ClientLeg::cut(const Error& error) {
  if (exchange_) exchange_->cut(error);
  if (!ended_) end(LegOwner::Ending::kAtOnce);
}

void H1ClientLeg::recheck(const policy::Snapshot& snapshot) {
  if (exchange_) exchange_->recheck(snapshot);
}

void H1ClientLeg::on_timer() {
  if (exchange_) {
    // A client that takes what comes may wait for the rest.
    if (std::exchange(has_sent_, false)) {
      timer_.start(kHalfClosedTime);
    } else {
      exchange_->on_client_error(
          Error{Code::kIdleTimeout, Fault::kClient, "the client ended its direction"});
    }
    return;
  }
  if (parser_.is_in_head()) {
    count(services_.shared.metrics.limit_head_time);
    refuse(refusal_for(Error{Code::kTimeout, Fault::kClient, "no whole head in time"}));
    return;
  }
  end(LegOwner::Ending::kGently);
}

void H1ClientLeg::send_interim(const http::ResponseHead& head) {
  if (version_ == http::Version::kHttp10) return;
  std::string out;
  http::append_response(out, head);
  transport_.write(out);
}

void H1ClientLeg::send_head(const http::ResponseHead& head) {
  http::Body body = head.body;
  const bool has_no_body =
      method_ == "HEAD" || head.status == 204 || head.status == 304 || head.status == 101;
  // HTTP/2 ends a stream without saying how long nothing is; HTTP/1 must say it.
  if (!has_no_body && body.framing == http::Framing::kNone) body = {http::Framing::kLength, 0};
  if (version_ == http::Version::kHttp10 && body.framing == http::Framing::kChunked) {
    body.framing = http::Framing::kUntilClose;
  }
  if (body.framing == http::Framing::kUntilClose && !has_no_body) response_persists_ = false;
  response_persists_ = response_persists_ && head.is_persistent;
  response_is_chunked_ = body.framing == http::Framing::kChunked && !has_no_body;
  if (head.status == 101) is_raw_ = true;
  std::string out;
  http::append_response(out, head, {body, request_persists_ && response_persists_}, head.upgrade);
  transport_.write(out);
}

void H1ClientLeg::send_body(std::string_view bytes) {
  if (bytes.empty()) return;
  has_sent_ = true;
  if (!response_is_chunked_) {
    transport_.write(bytes);
    return;
  }
  std::string out;
  out.reserve(bytes.size() + 24);
  http::append_chunk(out, bytes);
  transport_.write(out);
}

void H1ClientLeg::send_end(const http::Fields& trailers) {
  if (!response_is_chunked_) return;
  std::string out;
  http::append_last_chunk(out, trailers);
  transport_.write(out);
}

void H1ClientLeg::abort(const Error&) { was_aborted_ = true; }

void H1ClientLeg::send_raw(std::string_view bytes) { transport_.write(bytes); }

void H1ClientLeg::finish_raw() { transport_.finish_writing(); }

void H1ClientLeg::resume_body() {
  const bool was_wanted = std::exchange(wants_body_, true);
  if (is_raw_) {
    release_raw();
    steer_reading();
  } else if (!was_wanted && !is_processing_) {
    process({});
  }
}

void H1ClientLeg::pause_body() {
  wants_body_ = false;
  steer_reading();
}

std::size_t H1ClientLeg::queued_bytes() const { return transport_.queued_bytes(); }

void H1ClientLeg::on_exchange_done(Exchange&, Exchange::Finish finish) {
  services_.loop.bury(std::move(exchange_));
  owner_.on_exchange_recorded();
  const bool goes_on = finish == Exchange::Finish::kKeep && request_persists_ &&
                       response_persists_ && !services_.is_draining && (!eof_ || !pending_.empty());
  if (goes_on) {
    next_request();
  } else {
    // What was cut must not look whole: no gentle end for it.
    end(was_aborted_ ? LegOwner::Ending::kAtOnce : LegOwner::Ending::kGently);
  }
}

void H1ClientLeg::next_request() {
  if (!response_persists_ || !request_persists_) {
    end(LegOwner::Ending::kGently);
    return;
  }
  timer_.start(services_.shared.settings.limits.client_idle_time);
  next_.schedule();
}

void H1ClientLeg::end(LegOwner::Ending ending) {
  if (ended_) return;
  ended_ = true;
  timer_.stop();
  owner_.on_leg_done(ending);
}

}  // namespace leash::proxy
