#include "proxy/h2_client_leg.h"

#include <optional>
#include <utility>
#include <vector>

#include "proxy/error_page.h"
#include "proxy/exchange.h"
#include "tls/digest.h"

namespace leash::proxy {
namespace {

using base::Code;
using base::Error;
using base::Fault;

constexpr std::chrono::milliseconds kDrainTime{5000};  // for a client that does not answer our PING

http::H2Limits h2_limits(const config::Limits& limits) {
  http::H2Limits h2;
  h2.streams = static_cast<std::uint32_t>(limits.h2_streams);
  h2.head_bytes = limits.head_kb * 1024;
  h2.fields = limits.head_fields;
  h2.resets_per_second = static_cast<double>(limits.h2_resets_per_second);
  return h2;
}

// RFC 8441 s. 5: an extended CONNECT for a WebSocket means what a GET with Upgrade means in HTTP/1,
// and is decided, recorded and sent on as that.
void make_handshake(http::RequestHead& head) {
  head.method = "GET";
  head.protocol.clear();
  head.version = http::Version::kHttp11;
  head.body = {};
  head.fields.set("Connection", "Upgrade");
  head.fields.set("Upgrade", "websocket");
  head.fields.set("Sec-WebSocket-Key", tls::base64(tls::random_bytes(16)));
}

}  // namespace

class H2ClientLeg::Stream final : public ClientStream, public Exchange::Owner {
 public:
  Stream(H2ClientLeg& leg, std::int32_t id, bool is_websocket)
      : leg_(leg), id_(id), is_websocket_(is_websocket) {}

  void start(Context&& context) {
    exchange_ = std::make_unique<Exchange>(leg_.services_, *this, *this, std::move(context));
    exchange_->start();
  }
  [[nodiscard]] Exchange* exchange() { return exchange_.get(); }

  // From the leg:
  void take_body(std::string_view bytes) {
    if (!exchange_) {
      leg_.server_.consume(id_, bytes.size());
    } else if (!wants_body_) {
      held_.append(bytes);  // no more than the stream's window
      exchange_->on_client_held();
    } else {
      give(bytes);
    }
  }
  void take_end(http::Fields trailers) {
    has_ended_ = true;
    trailers_ = std::move(trailers);
    if (wants_body_ && held_.empty()) tell_end();
  }

  // From the exchange:
  void send_interim(const http::ResponseHead& head) override {
    leg_.server_.send_head(id_, head, false);
    kick();
  }
  void send_head(const http::ResponseHead& head) override {
    if (head.status == 101) {
      http::ResponseHead opened = head;
      opened.status = 200;
      opened.reason.clear();
      opened.fields.remove("sec-websocket-accept");
      opened.body = {http::Framing::kUntilClose, 0};
      is_raw_ = true;
      leg_.server_.send_head(id_, opened, false);
    } else if (!head.body.is_expected()) {
      // Goes out with the end, so that a head that was all stays all: what gRPC calls trailers only
      // means something else once an empty DATA frame follows.
      last_head_ = head;
      return;
    } else {
      leg_.server_.send_head(id_, head, false);
    }
    kick();
  }
  void send_body(std::string_view bytes) override {
    leg_.server_.send_body(id_, bytes);
    kick();
  }
  void send_end(const http::Fields& trailers) override {
    is_whole_ = true;
    if (last_head_) {
      leg_.server_.send_head(id_, *last_head_, trailers.empty());
      last_head_.reset();
    }
    leg_.server_.send_end(id_, trailers);
    kick();
  }
  void abort(const Error&) override {
    leg_.server_.reset(id_, http::H2Code::kInternalError);
    kick();
  }
  void send_raw(std::string_view bytes) override { send_body(bytes); }
  void finish_raw() override { send_end({}); }
  void resume_body() override {
    wants_body_ = true;
    if (!held_.empty()) {
      const std::string held = std::exchange(held_, {});
      give(held);
    }
    if (has_ended_ && held_.empty()) tell_end();
    if (unconsumed_ > 0 && wants_body_) {
      leg_.server_.consume(id_, std::exchange(unconsumed_, 0));
      kick();
    }
  }
  void pause_body() override { wants_body_ = false; }
  [[nodiscard]] std::size_t queued_bytes() const override { return leg_.server_.queued_bytes(id_); }
  [[nodiscard]] std::size_t held_bytes() const override { return queued_bytes() + held_.size(); }

  void on_exchange_done(Exchange&, Exchange::Finish finish) override {
    leg_.services_.loop.bury(std::move(exchange_));
    leg_.owner_.on_exchange_recorded();
    if (finish == Exchange::Finish::kClose && !is_whole_)
      leg_.server_.reset(id_, http::H2Code::kCancel);
    kick();
  }

 private:
  void give(std::string_view bytes) {
    if (!exchange_) return;
    if (is_raw_) {
      exchange_->on_client_raw(bytes);
    } else {
      exchange_->on_request_body(bytes);
    }
    if (wants_body_ || !exchange_) {
      leg_.server_.consume(id_, bytes.size());
      kick();
    } else {
      unconsumed_ += bytes.size();
    }
  }
  void tell_end() {
    if (!exchange_ || std::exchange(end_told_, true)) return;
    if (is_raw_) {
      exchange_->on_client_raw_end();
    } else if (!is_websocket_) {
      exchange_->on_request_end(std::move(trailers_));
    }
  }
  void kick() { leg_.pump_soon_.schedule(); }

  H2ClientLeg& leg_;
  std::int32_t id_;
  bool is_websocket_;
  std::unique_ptr<Exchange> exchange_;
  std::string held_;            // came before it was wanted
  std::size_t unconsumed_ = 0;  // given on, but the client gets no credit for it yet
  http::Fields trailers_;
  std::optional<http::ResponseHead> last_head_;  // no body will follow, trailers may
  bool wants_body_ = false;
  bool has_ended_ = false;
  bool end_told_ = false;
  bool is_raw_ = false;
  bool is_whole_ = false;
};

H2ClientLeg::H2ClientLeg(Services& services, Transport& transport, LegOwner& owner)
    : services_(services),
      transport_(transport),
      owner_(owner),
      server_(h2_limits(services.shared.settings.limits), *this),
      share_(owner.memory()),
      timer_(services.loop, [this] { on_timer(); }),
      pump_soon_(services.loop, [this] { on_pump_due(); }) {
  timer_.start(services.shared.settings.limits.client_idle_time);
  transport_.resume_reading();
  pump();
}

H2ClientLeg::~H2ClientLeg() = default;

H2ClientLeg::Stream* H2ClientLeg::find(std::int32_t stream) {
  const auto it = streams_.find(stream);
  return it != streams_.end() ? it->second.get() : nullptr;
}

void H2ClientLeg::on_bytes(std::string_view plain) {
  if (ended_) return;
  const auto received = [&] {
    const PolicyGate::OneLook look(services_.policy);  // for all requests that are in these bytes
    if (server_.wants_buffer()) server_.lend_buffer(services_.loop.take_buffer());
    return server_.receive(plain, services_.loop.now());
  }();
  if (!received && !std::exchange(error_recorded_, true))
    owner_.record_error(refusal_for(received.error()));
  pump();
  look_for_end();
}

void H2ClientLeg::on_request(std::int32_t stream, http::RequestHead head, bool ends_here) {
  const bool is_websocket = !head.protocol.empty();
  if (is_websocket) make_handshake(head);
  if (ends_here) head.body = {};
  auto context = owner_.make_context(std::move(head));
  if (!context) {
    owner_.record_error(refusal_for(context.error()));
    server_.reset(stream, http::H2Code::kProtocolError);
    return;
  }
  auto made = std::make_unique<Stream>(*this, stream, is_websocket);
  Stream& added = *made;
  streams_.emplace(stream, std::move(made));
  added.start(std::move(*context));
}

void H2ClientLeg::on_refused(std::int32_t, const Error& error) {
  owner_.record_error(refusal_for(error));
}

void H2ClientLeg::on_body(std::int32_t stream, std::string_view bytes) {
  if (Stream* found = find(stream)) {
    found->take_body(bytes);
  } else {
    server_.consume(stream, bytes.size());
  }
}

void H2ClientLeg::on_end(std::int32_t stream, http::Fields trailers) {
  if (Stream* found = find(stream)) found->take_end(std::move(trailers));
}

void H2ClientLeg::on_reset(std::int32_t stream, const Error& error) {
  Stream* found = find(stream);
  if (found == nullptr || found->exchange() == nullptr) return;
  // The client's own RST_STREAM is a client that has gone; an error of its message is named as
  // that.
  Error told = error;
  told.fault = Fault::kClient;
  if (told.code != Code::kReset && told.code != Code::kClosedEarly)
    told = Error{Code::kReset, Fault::kClient, error.text()};
  found->exchange()->on_client_error(std::move(told));
}

void H2ClientLeg::on_sendable(std::int32_t stream) {
  Stream* found = find(stream);
  if (found != nullptr && found->exchange() != nullptr) found->exchange()->on_client_drained();
}

void H2ClientLeg::on_closed(std::int32_t stream) {
  Stream* found = find(stream);
  if (found == nullptr) return;
  if (found->exchange() != nullptr) {
    found->exchange()->on_client_error(
        Error{Code::kReset, Fault::kClient, "the stream was closed"});
  }
  forget(stream);
}

void H2ClientLeg::forget(std::int32_t stream) {
  const auto it = streams_.find(stream);
  if (it == streams_.end()) return;
  services_.loop.bury(std::move(it->second));
  streams_.erase(it);
  if (!streams_.empty() || ended_) return;
  timer_.start(is_draining_ ? kDrainTime : services_.shared.settings.limits.client_idle_time);
}

void H2ClientLeg::on_eof(End) {
  // A half-closed HTTP/2 connection has no use: the client can neither ask nor give credit.
  on_error(Error{Code::kClosedEarly, Fault::kClient, "the connection ended"});
}

void H2ClientLeg::on_error(Error error) {
  if (ended_) return;
  server_.abort(error);
  end(LegOwner::Ending::kAtOnce);
}

void H2ClientLeg::on_drained() {
  pump();
  look_for_end();
}

void H2ClientLeg::drain() {
  if (std::exchange(is_draining_, true)) return;
  server_.drain();
  if (streams_.empty()) timer_.start(kDrainTime);
  pump_soon_.schedule();
}

void H2ClientLeg::cut(const Error& error) {
  if (ended_) return;
  std::vector<std::int32_t> ids;
  ids.reserve(streams_.size());
  for (const auto& [id, stream] : streams_) ids.push_back(id);
  for (const std::int32_t id : ids) {
    if (Stream* found = find(id); found != nullptr && found->exchange() != nullptr)
      found->exchange()->cut(error);
  }
  pump();
  end(LegOwner::Ending::kGently);
}

void H2ClientLeg::recheck(const policy::Snapshot& snapshot) {
  std::vector<std::int32_t> ids;
  ids.reserve(streams_.size());
  for (const auto& [id, stream] : streams_) ids.push_back(id);
  for (const std::int32_t id : ids) {
    if (Stream* found = find(id); found != nullptr && found->exchange() != nullptr)
      found->exchange()->recheck(snapshot);
  }
}

// A request that is under way has limits of its own. Answers that wait for a client which takes
// none of them from one look to the next are no reason to go on, whatever else it says.
void H2ClientLeg::on_timer() {
  if (!streams_.empty()) {
    bool is_busy = false;
    std::size_t held = transport_.queued_bytes();
    for (const auto& [id, stream] : streams_) {
      is_busy = is_busy || stream->exchange() != nullptr;
      held += server_.queued_bytes(id);
    }
    if (is_busy || std::exchange(held_at_last_look_, held) != held) {
      timer_.start(services_.shared.settings.limits.client_idle_time);
      return;
    }
  }
  server_.close();
  pump();
  end(LegOwner::Ending::kGently);
}

void H2ClientLeg::pump() {
  const std::size_t mark = share_.memory().mark(services_.shared.settings.limits.buffer_kb * 1024);
  if (server_.wants_buffer()) server_.lend_buffer(services_.loop.take_buffer());
  while (transport_.is_open() && transport_.queued_bytes() < mark) {
    std::string& output = server_.output();
    if (output.empty()) break;
    transport_.write(output);
    output.clear();
  }
  services_.loop.give_buffer(server_.take_buffer());
  share_.set(transport_.queued_bytes());
}

void H2ClientLeg::on_pump_due() {
  if (ended_) return;
  pump();
  look_for_end();
}

void H2ClientLeg::look_for_end() {
  if (ended_) return;
  if (server_.is_finished() || (is_draining_ && server_.is_drained())) {
    if (server_.error() && !std::exchange(error_recorded_, true))
      owner_.record_error(refusal_for(*server_.error()));
    end(LegOwner::Ending::kGently);
  }
}

void H2ClientLeg::end(LegOwner::Ending ending) {
  if (ended_) return;
  ended_ = true;
  timer_.stop();
  owner_.on_leg_done(ending);
}

}  // namespace leash::proxy
