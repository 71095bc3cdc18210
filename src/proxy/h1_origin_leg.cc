#include "proxy/h1_origin_leg.h"

#include <utility>

#include "http/h1_writer.h"

namespace leash::proxy {

using base::Code;
using base::Error;
using base::Fault;

class H1OriginLeg::Stream final : public OriginStream {
 public:
  Stream(H1OriginLeg& leg, OriginEvents& events, const OriginFacts& facts)
      : leg_(&leg), events_(&events), facts_(facts) {}
  ~Stream() override { Stream::release(); }

  void release() override {
    if (leg_ == nullptr) return;
    H1OriginLeg* leg = std::exchange(leg_, nullptr);
    events_ = nullptr;
    leg->stream_ = nullptr;
    leg->free_stream();
  }
  // The connection has gone: no commands any more.
  void orphan() { leg_ = nullptr; }
  [[nodiscard]] OriginEvents* events() const { return events_; }

  void send_head(const http::RequestHead& head) override {
    if (leg_ == nullptr) return;
    leg_->parser_.expect(head.method);
    leg_->is_chunked_ = head.body.framing == http::Framing::kChunked;
    std::string out;
    http::append_request(out, head, head.upgrade);
    leg_->transport_.write(out);
    leg_->transport_.resume_reading();
  }
  void send_body(std::string_view bytes) override {
    if (leg_ == nullptr || bytes.empty()) return;
    if (!leg_->is_chunked_) {
      leg_->transport_.write(bytes);
      return;
    }
    std::string out;
    out.reserve(bytes.size() + 24);
    http::append_chunk(out, bytes);
    leg_->transport_.write(out);
  }
  void send_end(const http::Fields& trailers) override {
    if (leg_ == nullptr) return;
    leg_->request_sent_ = true;
    if (!leg_->is_chunked_) return;
    std::string out;
    http::append_last_chunk(out, trailers);
    leg_->transport_.write(out);
  }
  void send_raw(std::string_view bytes) override {
    if (leg_ != nullptr) leg_->transport_.write(bytes);
  }
  void finish_raw() override {
    if (leg_ != nullptr) leg_->transport_.finish_writing();
  }
  void pause_body() override {
    if (leg_ != nullptr) leg_->transport_.pause_reading();
  }
  void resume_body() override {
    if (leg_ != nullptr) leg_->transport_.resume_reading();
  }
  [[nodiscard]] std::size_t queued_bytes() const override {
    return leg_ != nullptr ? leg_->transport_.queued_bytes() : 0;
  }
  [[nodiscard]] const OriginFacts& facts() const override { return facts_; }

 private:
  H1OriginLeg* leg_;
  OriginEvents* events_;
  OriginFacts facts_;
};

H1OriginLeg::H1OriginLeg(Transport& transport, const http::Limits& limits, Owner& owner)
    : transport_(transport), parser_(limits), owner_(owner) {}

H1OriginLeg::~H1OriginLeg() {
  if (stream_ != nullptr) stream_->orphan();
}

std::unique_ptr<OriginStream> H1OriginLeg::open(OriginEvents& events, const OriginFacts& facts) {
  auto stream = std::make_unique<Stream>(*this, events, facts);
  stream_ = stream.get();
  request_sent_ = false;
  response_ended_ = false;
  got_bytes_ = false;
  is_persistent_ = true;
  return stream;
}

void H1OriginLeg::free_stream() {
  if (!response_ended_ || !request_sent_ || !is_persistent_ || is_raw_) is_broken_ = true;
  transport_.resume_reading();
  owner_.on_leg_changed();
}

void H1OriginLeg::on_bytes(std::string_view bytes) {
  if (stream_ == nullptr) {
    // An idle connection that speaks: its next response would be somebody else's.
    is_broken_ = true;
    owner_.on_leg_changed();
    return;
  }
  got_bytes_ = true;
  // Also with nothing left: the end of a body whose last byte has come is an event of its own.
  while (stream_ != nullptr) {
    if (is_raw_) {
      if (!bytes.empty()) stream_->events()->on_origin_raw(bytes);
      return;
    }
    if (response_ended_) {
      if (!bytes.empty()) is_persistent_ = false;
      return;
    }
    auto event = parser_.next(bytes);
    if (!event) {
      break_off(event.error());
      return;
    }
    if (!*event) return;
    // Known before the end is told, since that frees the stream: bytes behind a response end the
    // connection.
    if (std::holds_alternative<http::MessageEnd>(**event) && !is_raw_ && !bytes.empty())
      is_persistent_ = false;
    deliver(std::move(**event));
  }
}

void H1OriginLeg::deliver(http::ResponseEvent event) {
  OriginEvents& events = *stream_->events();
  if (auto* head = std::get_if<http::ResponseHead>(&event)) {
    if (head->status == 101) {
      is_raw_ = true;  // the exchange releases the stream where it does not want that
    } else if (!head->is_interim()) {
      is_persistent_ = is_persistent_ && head->is_persistent;
    }
    events.on_response_head(std::move(*head));
  } else if (auto* body = std::get_if<http::BodyBytes>(&event)) {
    events.on_response_body(body->bytes);
  } else if (!is_raw_) {
    response_ended_ = true;
    events.on_response_end(std::move(std::get<http::MessageEnd>(event).trailers));
  }
}

void H1OriginLeg::break_off(Error error) {
  is_broken_ = true;
  if (stream_ == nullptr) {
    owner_.on_leg_changed();
    return;
  }
  stream_->events()->on_origin_error(std::move(error), !got_bytes_);
}

void H1OriginLeg::on_eof(End end) {
  if (stream_ == nullptr) {
    is_broken_ = true;
    owner_.on_leg_changed();
    return;
  }
  if (is_raw_) {
    stream_->events()->on_origin_raw_end();
    return;
  }
  is_persistent_ = false;
  if (response_ended_) return;
  auto event = parser_.finish();
  if (!event) {
    break_off(event.error());
  } else if (*event && end == End::kClean) {
    deliver(std::move(**event));
  } else {
    const char* how = *event ? "the body ended without close_notify" : "closed before a response";
    break_off(Error{Code::kClosedEarly, Fault::kOrigin, how});
  }
}

void H1OriginLeg::on_error(Error error) {
  error.fault = Fault::kOrigin;
  break_off(std::move(error));
}

void H1OriginLeg::on_drained() {
  if (stream_ != nullptr) stream_->events()->on_origin_drained();
}

}  // namespace leash::proxy
