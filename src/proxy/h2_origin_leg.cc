#include "proxy/h2_origin_leg.h"

#include <algorithm>
#include <utility>

namespace leash::proxy {

using base::Code;
using base::Error;
using base::Fault;

class H2OriginLeg::Stream final : public OriginStream {
 public:
  Stream(H2OriginLeg& leg, OriginEvents& events, const OriginFacts& facts)
      : leg_(leg.self_), events_(&events), facts_(facts) {
    ++leg.open_streams_;
  }
  ~Stream() override { Stream::release(); }

  void release() override {
    H2OriginLeg* leg = this->leg();
    events_ = nullptr;
    leg_.reset();
    if (leg == nullptr) return;
    if (id_ != 0) {
      leg->streams_.erase(id_);
      if (!is_closed_) leg->client_.reset(id_, http::H2Code::kCancel);
      leg->schedule_pump();
    }
    --leg->open_streams_;
    leg->tell_owner();
  }
  [[nodiscard]] OriginEvents* events() const { return events_; }

  void send_head(const http::RequestHead& head) override {
    H2OriginLeg* leg = this->leg();
    if (leg == nullptr) return;
    ended_ = !head.body.is_expected();
    auto started = leg->client_.start(head, ended_);
    if (!started) {
      // Told from the loop: nobody expects the end of a stream inside its first command.
      leg->loop_.defer([weak = std::weak_ptr<Stream*>(self_), error = started.error()]() mutable {
        const auto self = weak.lock();
        if (!self || (*self)->events_ == nullptr) return;
        error.fault = Fault::kOrigin;
        (*self)->events_->on_origin_error(std::move(error), true);
      });
      return;
    }
    id_ = *started;
    leg->streams_.emplace(id_, this);
    leg->schedule_pump();
  }
  void send_body(std::string_view bytes) override {
    if (H2OriginLeg* leg = this->leg(); leg != nullptr && id_ != 0) {
      leg->client_.send_body(id_, bytes);
      leg->schedule_pump();
    }
  }
  void send_end(const http::Fields& trailers) override {
    if (H2OriginLeg* leg = this->leg();
        leg != nullptr && id_ != 0 && !std::exchange(ended_, true)) {
      leg->client_.send_end(id_, trailers);
      leg->schedule_pump();
    }
  }
  void send_raw(std::string_view bytes) override { send_body(bytes); }
  void finish_raw() override { send_end({}); }
  void pause_body() override { is_paused_ = true; }
  void resume_body() override {
    is_paused_ = false;
    H2OriginLeg* leg = this->leg();
    if (leg == nullptr || held_bytes_ == 0) return;
    leg->client_.consume(id_, std::exchange(held_bytes_, 0));
    leg->schedule_pump();
  }
  [[nodiscard]] std::size_t queued_bytes() const override {
    const H2OriginLeg* leg = this->leg();
    return leg != nullptr && id_ != 0 ? leg->client_.queued_bytes(id_) : 0;
  }
  [[nodiscard]] const OriginFacts& facts() const override { return facts_; }

  // From the leg:
  void take_body(std::string_view bytes) {
    events_->on_response_body(bytes);
    H2OriginLeg* leg = this->leg();
    if (leg == nullptr) return;
    if (is_paused_) {
      held_bytes_ += bytes.size();
    } else {
      leg->client_.consume(id_, bytes.size());
    }
  }
  void head_came() { has_head_ = true; }
  [[nodiscard]] bool is_untouched() const { return !has_head_; }
  void closed() { is_closed_ = true; }

 private:
  [[nodiscard]] H2OriginLeg* leg() const { return leg_ ? *leg_ : nullptr; }

  std::shared_ptr<H2OriginLeg*> leg_;
  OriginEvents* events_;
  OriginFacts facts_;
  std::int32_t id_ = 0;
  std::size_t held_bytes_ = 0;
  bool is_paused_ = false;
  bool ended_ = false;
  bool has_head_ = false;
  bool is_closed_ = false;
  std::shared_ptr<Stream*> self_ = std::make_shared<Stream*>(this);  // dies with us
};

H2OriginLeg::H2OriginLeg(net::Loop& loop, Transport& transport, const config::Limits& limits,
                         Owner& owner)
    : loop_(loop),
      transport_(transport),
      owner_(owner),
      buffer_bytes_(limits.buffer_kb * 1024),
      client_(http::H2Limits{.streams = static_cast<std::uint32_t>(limits.h2_streams),
                             .head_bytes = limits.head_kb * 1024,
                             .fields = limits.head_fields,
                             .resets_per_second = static_cast<double>(limits.h2_resets_per_second)},
              *this) {
  pump();
}

H2OriginLeg::~H2OriginLeg() { *self_ = nullptr; }

std::unique_ptr<OriginStream> H2OriginLeg::open(OriginEvents& events, const OriginFacts& facts) {
  return std::make_unique<Stream>(*this, events, facts);
}

bool H2OriginLeg::can_open() const {
  // Streams that are opened but not started yet have no place at the client's count.
  const std::size_t not_started = open_streams_ - std::min(open_streams_, streams_.size());
  return !is_broken() && client_.has_room() && not_started < 16;
}

bool H2OriginLeg::is_broken() const {
  return is_lost_ || client_.error().has_value() || client_.is_going_away();
}

H2OriginLeg::Stream* H2OriginLeg::find(std::int32_t stream) {
  const auto it = streams_.find(stream);
  return it != streams_.end() ? it->second : nullptr;
}

void H2OriginLeg::on_bytes(std::string_view bytes) {
  const auto received = client_.receive(bytes, loop_.now());
  pump();
  if (!received || client_.is_finished()) tell_owner();
}

void H2OriginLeg::on_eof(End) {
  on_error(Error{Code::kClosedEarly, Fault::kOrigin, "the connection ended"});
}

void H2OriginLeg::on_error(Error error) {
  is_lost_ = true;
  error.fault = Fault::kOrigin;
  client_.abort(error);
  tell_owner();
}

void H2OriginLeg::on_drained() { pump(); }

void H2OriginLeg::on_head(std::int32_t stream, http::ResponseHead head, bool ends_here) {
  Stream* found = find(stream);
  if (found == nullptr) return;
  if (!head.is_interim()) found->head_came();
  found->events()->on_response_head(std::move(head));
  if (!ends_here) return;
  if (Stream* still = find(stream); still != nullptr) still->events()->on_response_end({});
}

void H2OriginLeg::on_body(std::int32_t stream, std::string_view bytes) {
  if (Stream* found = find(stream)) {
    found->take_body(bytes);
  } else {
    client_.consume(stream, bytes.size());
  }
}

void H2OriginLeg::on_end(std::int32_t stream, http::Fields trailers) {
  if (Stream* found = find(stream)) found->events()->on_response_end(std::move(trailers));
}

void H2OriginLeg::on_reset(std::int32_t stream, const Error& error) {
  Stream* found = find(stream);
  if (found == nullptr) return;
  Error told = error;
  told.fault = Fault::kOrigin;
  found->closed();
  found->events()->on_origin_error(std::move(told), found->is_untouched());
}

void H2OriginLeg::on_sendable(std::int32_t stream) {
  if (Stream* found = find(stream)) found->events()->on_origin_drained();
}

void H2OriginLeg::on_closed(std::int32_t stream) {
  if (Stream* found = find(stream)) found->closed();
  schedule_pump();
}

void H2OriginLeg::on_goaway(std::int32_t) { tell_owner(); }

void H2OriginLeg::pump() {
  while (transport_.is_open() && transport_.queued_bytes() < buffer_bytes_) {
    std::string& output = client_.output();
    if (output.empty()) return;
    transport_.write(output);
    output.clear();
  }
}

void H2OriginLeg::schedule_pump() {
  if (std::exchange(pump_scheduled_, true)) return;
  loop_.defer([weak = std::weak_ptr<H2OriginLeg*>(self_)] {
    const auto self = weak.lock();
    if (!self || *self == nullptr) return;
    (*self)->pump_scheduled_ = false;
    (*self)->pump();
    (*self)->tell_owner();
  });
}

// Deferred work, so that the owner may bury us: never from inside a callback of the session.
void H2OriginLeg::tell_owner() {
  loop_.defer([weak = std::weak_ptr<H2OriginLeg*>(self_)] {
    const auto self = weak.lock();
    if (self && *self != nullptr) (*self)->owner_.on_leg_changed();
  });
}

}  // namespace leash::proxy
