#include "http/h2_client.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <utility>

namespace leash::http {

using base::Code;
using base::Fault;

namespace {

// RFC 9113 s. 6.5.2 lets a peer allow any number before its SETTINGS; most allow this many.
constexpr std::uint32_t kStreamsBeforeSettings = 100;

}  // namespace

H2Client::H2Client(const H2Limits& limits, Handler& handler)
    : H2Session(Side::kClient, limits, handler), handler_(handler) {}

std::size_t H2Client::room() const {
  const bool takes_new =
      is_open() && !is_going_away_ && nghttp2_session_check_request_allowed(raw()) != 0;
  if (!takes_new) return 0;
  const std::uint32_t theirs = has_settings_ ? nghttp2_session_get_remote_settings(
                                                   raw(), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
                                             : kStreamsBeforeSettings;
  const std::size_t most = std::min(theirs, limits().streams);
  return most - std::min(most, active_streams());
}

base::Result<std::int32_t> H2Client::start(const RequestHead& head, bool ends_here) {
  if (!is_open() || is_going_away_ || nghttp2_session_check_request_allowed(raw()) == 0) {
    return base::fail(Code::kStreamRefused, Fault::kOrigin, "connection takes no new streams");
  }
  if (room() == 0) return base::fail(Code::kTooManyStreams, Fault::kOrigin);
  if (!head.protocol.empty() && !is_extended_connect_allowed()) {
    return base::fail(Code::kUpgradeRefused, Fault::kOrigin, "no extended CONNECT");
  }
  const std::int32_t id =
      submit_request(request_list(head), ends_here ? StreamEnd::kHere : StreamEnd::kLater);
  if (id < 0) return base::fail(Code::kStreamRefused, Fault::kOrigin, nghttp2_strerror(id));
  Stream& stream = add_stream(id);
  stream.method = head.protocol.empty() ? head.method : "CONNECT";
  stream.is_announced = true;
  stream.is_head_sent = true;
  stream.is_end_queued = ends_here;
  return id;
}

bool H2Client::is_extended_connect_allowed() const {
  return nghttp2_session_get_remote_settings(raw(), NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

void H2Client::ping() {
  if (!is_open()) return;
  ++pings_pending_;
  nghttp2_submit_ping(raw(), NGHTTP2_FLAG_NONE, nullptr);
}

base::Result<void> H2Client::take_head(Stream& stream, HeaderBlock block, StreamEnd end) {
  auto head = response_from(std::move(block), end, stream.method);
  if (!head) return tl::unexpected(std::move(head.error()));
  stream.has_head = !head->is_interim();
  handler_.on_head(stream.id, std::move(*head), end == StreamEnd::kHere);
  return {};
}

void H2Client::drop_unannounced(std::int32_t, const base::Error&) {}

void H2Client::take_goaway(std::int32_t last_stream) {
  is_going_away_ = true;
  handler_.on_goaway(last_stream);
}

void H2Client::take_settings() {
  has_settings_ = true;
  handler_.on_settings();
}

void H2Client::take_ping_ack() { pings_pending_ = std::max(0, pings_pending_ - 1); }

}  // namespace leash::http
