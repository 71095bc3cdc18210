#include "proxy/h2_origin_leg.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "tls/digest.h"

namespace leash::proxy {

using base::Code;
using base::Error;
using base::Fault;

class H2OriginLeg::Stream final : public OriginStream {
 public:
  Stream(H2OriginLeg& leg, OriginEvents& events, const OriginFacts& facts)
      : leg_(leg.self_),
        events_(&events),
        facts_(facts),
        tell_failure_(leg.loop_, [this] { tell_failure(); }) {
    ++leg.open_streams_;
  }
  ~Stream() override { Stream::release(); }

  void release() override {
    H2OriginLeg* leg = this->leg();
    events_ = nullptr;
    leg_.reset();
    if (leg == nullptr) return;
    std::erase(leg->waiting_, this);
    if (id_ != 0) {
      leg->streams_.erase(id_);
      if (!is_closed_) leg->client_.reset(id_, http::H2Code::kCancel);
    }
    --leg->open_streams_;
    leg->settle_soon_.schedule();
  }
  [[nodiscard]] OriginEvents* events() const { return events_; }

  void send_head(const http::RequestHead& head) override {
    H2OriginLeg* leg = this->leg();
    if (leg == nullptr) return;
    if (!head.upgrade.empty()) {
      begin_websocket(*leg, head);
      return;
    }
    ended_ = !head.body.is_expected();
    start(*leg, head);
  }
  // SETTINGS will not come any more.
  void give_up(const Error& error) {
    if (events_ != nullptr) events_->on_origin_error(error, true);
  }
  // SETTINGS have come.
  void go_on() {
    if (H2OriginLeg* leg = this->leg(); leg != nullptr && handshake_) {
      start(*leg, *std::exchange(handshake_, std::nullopt));
    }
  }
  void send_body(std::string_view bytes) override {
    if (H2OriginLeg* leg = this->leg(); leg != nullptr && id_ != 0) {
      leg->client_.send_body(id_, bytes);
      leg->settle_soon_.schedule();
    }
  }
  // A WebSocket's handshake has no end of its own.
  void send_end(const http::Fields& trailers) override {
    if (websocket_key_.empty()) finish(trailers);
  }
  void send_raw(std::string_view bytes) override { send_body(bytes); }
  void finish_raw() override { finish({}); }
  void pause_body() override { is_paused_ = true; }
  void resume_body() override {
    is_paused_ = false;
    H2OriginLeg* leg = this->leg();
    if (leg == nullptr || held_bytes_ == 0) return;
    leg->client_.consume(id_, std::exchange(held_bytes_, 0));
    leg->settle_soon_.schedule();
  }
  [[nodiscard]] std::size_t queued_bytes() const override {
    const H2OriginLeg* leg = this->leg();
    return leg != nullptr && id_ != 0 ? leg->client_.queued_bytes(id_) : 0;
  }
  [[nodiscard]] const OriginFacts& facts() const override { return facts_; }

  // From the leg:
  void take_head(http::ResponseHead head) {
    if (!head.is_interim()) has_head_ = true;
    if (!websocket_key_.empty() && head.status / 100 == 2) {
      is_raw_ = true;
      make_101(head);
    }
    events_->on_response_head(std::move(head));
  }
  void take_body(std::string_view bytes) {
    if (is_raw_) {
      events_->on_origin_raw(bytes);
    } else {
      events_->on_response_body(bytes);
    }
    H2OriginLeg* leg = this->leg();
    if (leg == nullptr) return;
    if (is_paused_) {
      held_bytes_ += bytes.size();
    } else {
      leg->client_.consume(id_, bytes.size());
    }
  }
  void take_end(http::Fields trailers) {
    if (is_raw_) {
      events_->on_origin_raw_end();
    } else {
      events_->on_response_end(std::move(trailers));
    }
  }
  [[nodiscard]] bool is_untouched() const { return !has_head_; }
  void closed() { is_closed_ = true; }

 private:
  [[nodiscard]] H2OriginLeg* leg() const { return leg_ ? *leg_ : nullptr; }

  // RFC 8441 s. 5: the GET with Upgrade becomes an extended CONNECT, where the origin has said that
  // it takes those. Its SETTINGS are the first that it sends, so the wait is short.
  void begin_websocket(H2OriginLeg& leg, const http::RequestHead& head) {
    http::RequestHead made = head;
    const std::string* key = made.fields.find("sec-websocket-key");
    websocket_key_ = key != nullptr ? *key : std::string();
    made.fields.remove("sec-websocket-key");
    made.protocol = made.upgrade;
    made.upgrade.clear();
    if (leg.client_.has_settings() || leg.is_broken()) {
      start(leg, made);  // a broken one says so
    } else {
      handshake_ = std::move(made);
      leg.waiting_.push_back(this);
    }
  }
  // What a 101 means in HTTP/1; nothing is left to prove, since HTTP/2 mixes up no answers.
  void make_101(http::ResponseHead& head) const {
    head.status = 101;
    head.reason = "Switching Protocols";
    head.body = {};
    head.fields.set("Upgrade", "websocket");
    head.fields.set("Connection", "Upgrade");
    head.fields.set("Sec-WebSocket-Accept", tls::websocket_accept(websocket_key_));
  }
  void start(H2OriginLeg& leg, const http::RequestHead& head) {
    auto started = leg.client_.start(head, ended_);
    if (!started) {
      failure_ = std::move(started.error());
      failure_->fault = Fault::kOrigin;
      // Told from the loop: nobody expects the end of a stream inside its first command.
      tell_failure_.schedule();
      return;
    }
    id_ = *started;
    leg.streams_.emplace(id_, this);
    leg.settle_soon_.schedule();
  }
  void tell_failure() {
    if (events_ != nullptr) events_->on_origin_error(*std::exchange(failure_, std::nullopt), true);
  }
  void finish(const http::Fields& trailers) {
    if (H2OriginLeg* leg = this->leg();
        leg != nullptr && id_ != 0 && !std::exchange(ended_, true)) {
      leg->client_.send_end(id_, trailers);
      leg->settle_soon_.schedule();
    }
  }

  std::shared_ptr<H2OriginLeg*> leg_;
  OriginEvents* events_;
  OriginFacts facts_;
  std::int32_t id_ = 0;
  std::string websocket_key_;                   // "" but for a WebSocket
  std::optional<http::RequestHead> handshake_;  // waits for SETTINGS
  bool is_raw_ = false;                         // the WebSocket is open
  std::size_t held_bytes_ = 0;
  bool is_paused_ = false;
  bool ended_ = false;
  bool has_head_ = false;
  bool is_closed_ = false;
  std::optional<Error> failure_;  // of its start
  net::Deferred tell_failure_;
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
              *this),
      settle_soon_(loop, [this] { settle(); }) {
  pump();
}

H2OriginLeg::~H2OriginLeg() { *self_ = nullptr; }

std::unique_ptr<OriginStream> H2OriginLeg::open(OriginEvents& events, const OriginFacts& facts) {
  return std::make_unique<Stream>(*this, events, facts);
}

bool H2OriginLeg::can_open() const {
  // Streams that are opened but not started yet have no place at the client's count.
  const std::size_t not_started = open_streams_ - std::min(open_streams_, streams_.size());
  return !is_broken() && not_started < client_.room();
}

bool H2OriginLeg::is_broken() const {
  return is_lost_ || client_.error().has_value() || client_.is_going_away();
}

H2OriginLeg::Stream* H2OriginLeg::find(std::int32_t stream) {
  const auto it = streams_.find(stream);
  return it != streams_.end() ? it->second : nullptr;
}

void H2OriginLeg::on_bytes(std::string_view bytes) {
  if (client_.wants_buffer()) client_.lend_buffer(loop_.take_buffer());
  const auto received = client_.receive(bytes, loop_.now());
  if (!received) fail_waiting(received.error());
  pump();
  if (!received || client_.is_finished()) settle_soon_.schedule();
}

void H2OriginLeg::on_eof(End) {
  on_error(Error{Code::kClosedEarly, Fault::kOrigin, "the connection ended"});
}

void H2OriginLeg::on_error(Error error) {
  is_lost_ = true;
  error.fault = Fault::kOrigin;
  client_.abort(error);
  fail_waiting(error);
  settle_soon_.schedule();
}

void H2OriginLeg::fail_waiting(const Error& error) {
  Error told = error;
  told.fault = Fault::kOrigin;
  for (Stream* stream : std::exchange(waiting_, {})) stream->give_up(told);
}

void H2OriginLeg::on_drained() { pump(); }

void H2OriginLeg::on_head(std::int32_t stream, http::ResponseHead head, bool ends_here) {
  Stream* found = find(stream);
  if (found == nullptr) return;
  found->take_head(std::move(head));
  if (!ends_here) return;
  if (Stream* still = find(stream); still != nullptr) still->take_end({});
}

void H2OriginLeg::on_body(std::int32_t stream, std::string_view bytes) {
  if (Stream* found = find(stream)) {
    found->take_body(bytes);
  } else {
    client_.consume(stream, bytes.size());
  }
}

void H2OriginLeg::on_end(std::int32_t stream, http::Fields trailers) {
  if (Stream* found = find(stream)) found->take_end(std::move(trailers));
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
  settle_soon_.schedule();
}

void H2OriginLeg::on_goaway(std::int32_t) { settle_soon_.schedule(); }

void H2OriginLeg::on_settings() {
  for (Stream* stream : std::exchange(waiting_, {})) stream->go_on();
}

void H2OriginLeg::pump() {
  if (client_.wants_buffer()) client_.lend_buffer(loop_.take_buffer());
  while (transport_.is_open() && transport_.queued_bytes() < buffer_bytes_) {
    std::string& output = client_.output();
    if (output.empty()) break;
    transport_.write(output);
    output.clear();
  }
  loop_.give_buffer(client_.take_buffer());
}

// Deferred, so that the owner may bury us: never from inside a callback of the session.
void H2OriginLeg::settle() {
  pump();
  owner_.on_leg_changed();
}

}  // namespace leash::proxy
