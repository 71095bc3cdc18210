#include "http/h2_server.h"

#include <nghttp2/nghttp2.h>

#include <utility>

namespace leash::http {

H2Server::H2Server(const H2Limits& limits, Handler& handler)
    : H2Session(Side::kServer, limits, handler), handler_(handler) {}

void H2Server::send_head(std::int32_t id, const ResponseHead& head, bool ends_here) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->is_head_sent || stream->is_reset_by_us) return;
  if (head.is_interim()) {
    submit_interim(*stream, response_list(head));
  } else {
    submit_response(*stream, response_list(head), ends_here ? StreamEnd::kHere : StreamEnd::kLater);
  }
}

void H2Server::drain() {
  if (drain_ != Drain::kNo || !is_open()) return;
  drain_ = Drain::kNotice;
  // The answer to the PING has passed all streams that began before the client knew.
  nghttp2_submit_shutdown_notice(raw());
  nghttp2_submit_ping(raw(), NGHTTP2_FLAG_NONE, nullptr);
}

bool H2Server::is_drained() const {
  return drain_ == Drain::kFinal && active_streams() == 0 && is_finished();
}

base::Result<void> H2Server::take_head(Stream& stream, HeaderBlock block, StreamEnd end) {
  auto head = request_from(std::move(block), end);
  stream.has_head = true;
  if (!head && head.error().code == base::Code::kUnsupportedMethod) {
    // A proxy inside the tunnel is not on offer; the client hears so.
    stream.is_answered = true;
    HeaderList not_allowed(1);
    not_allowed.add(":status", "405");
    submit_response(stream, not_allowed, StreamEnd::kHere);
    handler_.on_refused(stream.id, head.error());
    return {};
  }
  if (!head) return tl::unexpected(std::move(head.error()));
  stream.method = head->method;
  stream.is_announced = true;
  handler_.on_request(stream.id, std::move(*head), end == StreamEnd::kHere);
  return {};
}

void H2Server::drop_unannounced(std::int32_t stream, const base::Error& error) {
  handler_.on_refused(stream, error);
}

// A client that says GOAWAY opens no new streams; those that are open go on.
void H2Server::take_goaway(std::int32_t) {}
void H2Server::take_settings() {}

void H2Server::take_ping_ack() {
  if (drain_ != Drain::kNotice) return;
  drain_ = Drain::kFinal;
  nghttp2_submit_goaway(raw(), NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(raw()),
                        NGHTTP2_NO_ERROR, nullptr, 0);
}

}  // namespace leash::http
