#include "http/h2_session.h"

#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

namespace leash::http {
namespace {

using base::Code;
using base::Error;
using base::Fault;

// Frames that wait in nghttp2 for output() to be taken. 128 streams need a few each.
constexpr std::size_t kMaxQueuedFrames = 2000;

std::string_view view(const std::uint8_t* bytes, std::size_t n) {
  return {reinterpret_cast<const char*>(bytes), n};
}

std::uint8_t* raw_bytes(std::string_view text) {
  // nghttp2_nv is not const-correct; it copies.
  return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
}

std::vector<nghttp2_nv> to_nv(const HeaderList& list) {
  std::vector<nghttp2_nv> out;
  out.reserve(list.size());
  for (const HeaderList::Item& item : list) {
    out.push_back({raw_bytes(item.name), raw_bytes(item.value), item.name.size(), item.value.size(),
                   NGHTTP2_NV_FLAG_NONE});
  }
  return out;
}

// Assignment of an empty string would keep the memory.
void release(std::string& text) { std::string().swap(text); }

bool is_field_name(std::string_view name) {
  return nghttp2_check_header_name(reinterpret_cast<const std::uint8_t*>(name.data()),
                                   name.size()) != 0;
}

using OptionPtr = std::unique_ptr<nghttp2_option, base::FreeWith<nghttp2_option_del>>;
using CallbacksPtr =
    std::unique_ptr<nghttp2_session_callbacks, base::FreeWith<nghttp2_session_callbacks_del>>;

}  // namespace

std::string text_of(H2Code code) {
  static constexpr std::array<std::string_view, 14> kNames = {"NO_ERROR",
                                                              "PROTOCOL_ERROR",
                                                              "INTERNAL_ERROR",
                                                              "FLOW_CONTROL_ERROR",
                                                              "SETTINGS_TIMEOUT",
                                                              "STREAM_CLOSED",
                                                              "FRAME_SIZE_ERROR",
                                                              "REFUSED_STREAM",
                                                              "CANCEL",
                                                              "COMPRESSION_ERROR",
                                                              "CONNECT_ERROR",
                                                              "ENHANCE_YOUR_CALM",
                                                              "INADEQUATE_SECURITY",
                                                              "HTTP_1_1_REQUIRED"};
  const auto n = static_cast<std::uint32_t>(code);
  return n < kNames.size() ? std::string(kNames.at(n)) : fmt::format("{:#x}", n);
}

// nghttp2's view of us. Handlers run inside the receiving ones; the sending ones only take notes.
struct H2Session::Callbacks {
  static H2Session& self(void* user) { return *static_cast<H2Session*>(user); }

  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
    H2Session& s = self(user);
    const std::int32_t id = frame->hd.stream_id;
    Stream* stream = s.find(id);
    if (stream == nullptr) {
      if (s.side_ == Side::kClient || s.error_) return 0;
      stream = &s.add_stream(id);
      // Streams take turns, whatever priority the client would like: by RFC 9218 the default is one
      // after the other, and a long download would hold up the rest.
      const nghttp2_extpri turns{NGHTTP2_EXTPRI_DEFAULT_URGENCY, 1};
      nghttp2_session_change_extpri_stream_priority(s.raw(), id, &turns, 1);
    }
    stream->block = {};
    return 0;
  }

  static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                    std::size_t name_bytes, const std::uint8_t* value, std::size_t value_bytes,
                    std::uint8_t, void* user) noexcept {
    H2Session& s = self(user);
    if (s.error_) return NGHTTP2_ERR_CALLBACK_FAILURE;  // leave the rest of the block undecoded
    Stream* stream = s.find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    stream->block.add(view(name, name_bytes), view(value, value_bytes));
    if (stream->block.bytes > s.limits_.head_bytes) {
      s.fail(H2Code::kEnhanceYourCalm, {Code::kHeadTooLarge, s.peer_, "header list"});
    } else if (stream->block.fields.size() > s.limits_.fields) {
      s.fail(H2Code::kEnhanceYourCalm, {Code::kTooManyFields, s.peer_, "header list"});
    }
    return s.error_ ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
  }

  // nghttp2 would leave a bad field out and go on; RFC 9113 s. 8.2.1 calls the message malformed.
  static int invalid_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                            std::size_t name_bytes, const std::uint8_t*, std::size_t, std::uint8_t,
                            void* user) noexcept {
    H2Session& s = self(user);
    Stream* stream = s.find(frame->hd.stream_id);
    if (stream != nullptr && !stream->error) {
      const bool is_named = is_field_name(view(name, name_bytes));
      stream->error = Error{is_named ? Code::kBadFieldValue : Code::kBadFieldName, s.peer_, {}};
    }
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int invalid_frame(nghttp2_session*, const nghttp2_frame* frame, int lib_error,
                           void* user) noexcept {
    H2Session& s = self(user);
    Stream* stream = s.find(frame->hd.stream_id);
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    if (stream == nullptr) {
      const bool is_full = s.side_ == Side::kServer && s.streams_.size() >= s.limits_.streams;
      if (is_full && lib_error == NGHTTP2_ERR_PROTO) {
        s.fail(H2Code::kEnhanceYourCalm, {Code::kTooManyStreams, s.peer_, "concurrent streams"});
      }
    } else if (!stream->error && lib_error == NGHTTP2_ERR_HTTP_HEADER) {
      stream->error = Error{stream->has_head ? Code::kBadTrailer : Code::kHttp2Protocol, s.peer_,
                            "header field"};
    } else if (!stream->error && lib_error == NGHTTP2_ERR_HTTP_MESSAGING) {
      const Code code = stream->has_length ? Code::kBadContentLength
                        : stream->has_head ? Code::kBadTrailer
                                           : Code::kHttp2Protocol;
      stream->error = Error{code, s.peer_, "header list"};
    }
    return 0;
  }

  static int frame_received(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
    H2Session& s = self(user);
    const std::int32_t id = frame->hd.stream_id;
    const bool is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    const bool is_ack = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
    if (s.error_) return 0;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        s.on_headers(id, is_end ? StreamEnd::kHere : StreamEnd::kLater);
        break;
      case NGHTTP2_DATA:
        if (is_end) s.on_end(id, {});
        break;
      case NGHTTP2_RST_STREAM:
        if (Stream* stream = s.find(id)) {
          stream->is_reset_by_peer = true;
          if (!stream->is_received) s.count_break_off();
        }
        break;
      case NGHTTP2_SETTINGS:
        if (!is_ack) s.take_settings();
        break;
      case NGHTTP2_PING:
        if (is_ack) s.take_ping_ack();
        break;
      case NGHTTP2_GOAWAY:
        s.take_goaway(frame->goaway.last_stream_id);
        break;
      default:
        break;
    }
    return 0;
  }

  static int data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes,
                  std::size_t n, void* user) noexcept {
    H2Session& s = self(user);
    // The connection's window is no back-pressure: the streams' windows are, and their sum fits in
    // it.
    nghttp2_session_consume_connection(s.raw(), n);
    Stream* stream = s.find(id);
    if (s.error_ || stream == nullptr || stream->is_answered || stream->is_reset_by_us) {
      nghttp2_session_consume_stream(s.raw(), id, n);
      return 0;
    }
    stream->unconsumed_bytes += n;
    s.handler_.on_body(id, view(bytes, n));
    return 0;
  }

  static int stream_closed(nghttp2_session*, std::int32_t id, std::uint32_t code,
                           void* user) noexcept {
    self(user).close_stream(id, static_cast<H2Code>(code));
    return 0;
  }

  static int frame_sent(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
    H2Session& s = self(user);
    const std::int32_t id = frame->hd.stream_id;
    const bool is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (frame->hd.type) {
      case NGHTTP2_DATA:
      case NGHTTP2_HEADERS:
        if (is_end) s.on_end_sent(id);
        break;
      case NGHTTP2_RST_STREAM:
        s.on_reset_sent(id);
        break;
      case NGHTTP2_GOAWAY:
        s.on_goaway_sent(static_cast<H2Code>(frame->goaway.error_code),
                         view(frame->goaway.opaque_data, frame->goaway.opaque_data_len));
        break;
      default:
        break;
    }
    return 0;
  }

  static int frame_not_sent(nghttp2_session*, const nghttp2_frame* frame, int,
                            void* user) noexcept {
    // A request that was still in the queue when the origin said GOAWAY: it never left.
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      self(user).close_stream(frame->hd.stream_id, H2Code::kRefusedStream);
    }
    return 0;
  }

  static ssize_t read_queue(nghttp2_session*, std::int32_t id, std::uint8_t*, std::size_t room,
                            std::uint32_t* flags, nghttp2_data_source*, void* user) noexcept {
    H2Session& s = self(user);
    Stream* stream = s.find(id);
    if (stream == nullptr) return NGHTTP2_ERR_DEFERRED;
    const std::size_t queued = stream->queue.size() - stream->queue_at;
    const std::size_t n = std::min(queued, room);
    if (n == 0 && !stream->is_end_queued) {
      stream->is_deferred = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    if (n > 0) *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (n == queued && stream->is_end_queued) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      const HeaderList list = trailer_list(stream->trailers);
      if (!list.empty()) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        const auto nv = to_nv(list);
        nghttp2_submit_trailer(s.raw(), id, nv.data(), nv.size());
      }
    }
    return static_cast<ssize_t>(n);
  }

  static int write_data(nghttp2_session*, nghttp2_frame* frame, const std::uint8_t* frame_head,
                        std::size_t n, nghttp2_data_source*, void* user) noexcept {
    H2Session& s = self(user);
    Stream* stream = s.find(frame->hd.stream_id);
    if (stream == nullptr || stream->queue.size() - stream->queue_at < n) {
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    s.output_.append(view(frame_head, 9)).append(stream->queue, stream->queue_at, n);
    stream->queue_at += n;
    s.meter_.data_frame_sent();
    const std::size_t left = stream->queue.size() - stream->queue_at;
    if (left == 0 && stream->queue.capacity() > s.limits_.low_mark_bytes) {
      release(stream->queue);
      stream->queue_at = 0;
    } else if (stream->queue_at >= left) {
      stream->queue.erase(0, stream->queue_at);
      stream->queue_at = 0;
    }
    if (stream->is_above_low_mark && left <= s.limits_.low_mark_bytes) {
      stream->is_above_low_mark = false;
      s.pending_.push_back({Pending::Kind::kSendable, stream->id, {}});
    }
    return s.output_.size() >= s.limits_.output_bytes ? NGHTTP2_ERR_PAUSE : 0;
  }

  static CallbacksPtr make() {
    nghttp2_session_callbacks* made = nullptr;
    if (nghttp2_session_callbacks_new(&made) != 0) std::abort();
    nghttp2_session_callbacks_set_on_begin_headers_callback(made, begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(made, header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(made, invalid_header);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(made, invalid_frame);
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, frame_received);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, data);
    nghttp2_session_callbacks_set_on_stream_close_callback(made, stream_closed);
    nghttp2_session_callbacks_set_on_frame_send_callback(made, frame_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(made, frame_not_sent);
    nghttp2_session_callbacks_set_send_data_callback(made, write_data);
    return CallbacksPtr(made);
  }
};

H2Session::H2Session(Side side, const H2Limits& limits, H2StreamHandler& handler)
    : side_(side),
      limits_(limits),
      handler_(handler),
      peer_(side == Side::kServer ? Fault::kClient : Fault::kOrigin),
      meter_(side == Side::kServer ? FrameMeter::Preface::kExpected : FrameMeter::Preface::kNone,
             side == Side::kServer ? FrameMeter::Resets::kAll : FrameMeter::Resets::kBreakingOff,
             peer_, limits.resets_per_second) {
  const std::size_t reserved = limits_.streams * limits_.stream_window_bytes;
  window_budget_bytes_ =
      limits_.connection_window_bytes - std::min(reserved, limits_.connection_window_bytes);

  nghttp2_option* made = nullptr;
  if (nghttp2_option_new(&made) != 0) std::abort();
  const OptionPtr option(made);
  nghttp2_option_set_no_auto_window_update(made, 1);
  nghttp2_option_set_no_closed_streams(made, 1);
  // These three are counted here: resets by the caller's clock, CONTINUATION frames in the meter
  // (nghttp2 counts reads of them, so that a frame in small pieces is many), answers after each
  // pump().
  nghttp2_option_set_stream_reset_rate_limit(made, 1U << 30, 1U << 30);
  nghttp2_option_set_max_continuations(made, 1U << 30);
  nghttp2_option_set_max_outbound_ack(made, 2 * kMaxQueuedFrames);

  static const CallbacksPtr callbacks = Callbacks::make();
  nghttp2_session* session = nullptr;
  const int rc = side_ == Side::kServer
                     ? nghttp2_session_server_new2(&session, callbacks.get(), this, made)
                     : nghttp2_session_client_new2(&session, callbacks.get(), this, made);
  if (rc != 0) std::abort();  // out of memory
  session_.reset(session);
  submit_settings();
}

H2Session::~H2Session() = default;

void H2Session::submit_settings() {
  const auto window = static_cast<std::uint32_t>(limits_.stream_window_bytes);
  const auto head = static_cast<std::uint32_t>(limits_.head_bytes);
  const std::array<nghttp2_settings_entry, 5> server{{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits_.streams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, head},
      {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  }};
  const std::array<nghttp2_settings_entry, 4> client{{
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0},  // of pushes
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, head},
  }};
  if (side_ == Side::kServer) {
    nghttp2_submit_settings(raw(), NGHTTP2_FLAG_NONE, server.data(), server.size());
  } else {
    nghttp2_submit_settings(raw(), NGHTTP2_FLAG_NONE, client.data(), client.size());
  }
  nghttp2_session_set_local_window_size(raw(), NGHTTP2_FLAG_NONE, 0,
                                        static_cast<std::int32_t>(limits_.connection_window_bytes));
}

base::Result<void> H2Session::receive(std::string_view bytes, TimePoint now) {
  if (error_) return tl::unexpected(*error_);
  if (is_closing_) return {};
  now_ = now;
  feed(bytes.substr(0, meter_.take(bytes, now)));
  if (meter_.breach()) fail(H2Code::kEnhanceYourCalm, *meter_.breach());
  pump();
  if (nghttp2_session_get_outbound_queue_size(raw()) > kMaxQueuedFrames) {
    fail(H2Code::kEnhanceYourCalm, {Code::kHttp2Flood, peer_, "frames that need an answer"});
    pump();
  }
  dispatch();
  if (error_) return tl::unexpected(*error_);
  return {};
}

void H2Session::feed(std::string_view bytes) {
  if (bytes.empty()) return;
  const auto n = nghttp2_session_mem_recv(
      raw(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (n >= 0) return;
  if (n == NGHTTP2_ERR_FLOODED) {
    fail(H2Code::kEnhanceYourCalm, {Code::kHttp2Flood, peer_, "frames that need an answer"});
  } else if (n == NGHTTP2_ERR_NOMEM) {
    fail(H2Code::kInternalError, {Code::kNoMemoryLeft, Fault::kProxy, "http/2"});
  } else {
    fail(H2Code::kProtocolError,
         {Code::kHttp2Protocol, peer_, nghttp2_strerror(static_cast<int>(n))});
  }
}

std::string& H2Session::output() {
  for (;;) {
    pump();
    if (pending_.empty() && (!error_ || streams_.empty())) break;
    dispatch();
  }
  return output_;
}

std::string H2Session::take_buffer() {
  return output_.empty() ? std::exchange(output_, {}) : std::string();
}

void H2Session::pump() {
  while (!is_aborted_ && output_.size() < limits_.output_bytes) {
    const std::uint8_t* bytes = nullptr;
    const auto n = nghttp2_session_mem_send(raw(), &bytes);
    if (n < 0 && !error_) {
      error_ = Error{Code::kInternal, Fault::kProxy, nghttp2_strerror(static_cast<int>(n))};
    }
    if (n <= 0) return;
    output_.append(view(bytes, static_cast<std::size_t>(n)));
  }
}

// Tells the handler what pump() noted down; it may queue more meanwhile.
void H2Session::dispatch() {
  while (!pending_.empty()) {
    const std::vector<Pending> now = std::exchange(pending_, {});
    for (const Pending& p : now) {
      switch (p.kind) {
        case Pending::Kind::kReset:
          handler_.on_reset(p.stream, p.error);
          break;
        case Pending::Kind::kClosed:
          handler_.on_closed(p.stream);
          break;
        case Pending::Kind::kUnannounced:
          drop_unannounced(p.stream, p.error);
          break;
        case Pending::Kind::kSendable:
          if (find(p.stream) != nullptr) handler_.on_sendable(p.stream);
          break;
      }
    }
  }
  if (error_) end_all(*error_);
}

bool H2Session::is_finished() const {
  if (is_aborted_) return true;
  if (nghttp2_session_want_write(raw()) != 0) return false;
  return error_ || is_closing_ || nghttp2_session_want_read(raw()) == 0;
}

void H2Session::send_body(std::int32_t id, std::string_view bytes) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->is_end_queued || stream->is_reset_by_us || bytes.empty()) return;
  stream->queue.append(bytes);
  if (stream->queue.size() - stream->queue_at > limits_.low_mark_bytes) {
    stream->is_above_low_mark = true;
  }
  resume(*stream);
}

void H2Session::send_end(std::int32_t id, const Fields& trailers) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->is_end_queued || stream->is_reset_by_us) return;
  stream->is_end_queued = true;
  stream->trailers = trailers;
  resume(*stream);
}

void H2Session::resume(Stream& stream) {
  if (!std::exchange(stream.is_deferred, false)) return;
  nghttp2_session_resume_data(raw(), stream.id);
}

void H2Session::reset(std::int32_t id, H2Code code) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->is_reset_by_us) return;
  // Whole both ways: it closes by itself, and a reset would look to the peer like one more broken
  // off.
  if (stream->is_received && stream->is_sent) return;
  stream->is_reset_by_us = true;
  release(stream->queue);
  stream->queue_at = 0;
  nghttp2_submit_rst_stream(raw(), NGHTTP2_FLAG_NONE, id, static_cast<std::uint32_t>(code));
}

void H2Session::consume(std::int32_t id, std::size_t n) {
  Stream* stream = find(id);
  if (stream == nullptr) return;
  n = std::min(n, stream->unconsumed_bytes);
  if (n == 0) return;
  stream->unconsumed_bytes -= n;
  stream->read_bytes += n;
  nghttp2_session_consume_stream(raw(), id, n);
  grow_window(*stream);
}

// A stream that has been read by a whole window, and has little waiting, gets twice the window.
void H2Session::grow_window(Stream& stream) {
  if (stream.read_bytes < stream.window_bytes || stream.is_received) return;
  if (stream.unconsumed_bytes > stream.window_bytes / 2) return;
  stream.read_bytes = 0;
  const std::size_t wanted = std::min(stream.window_bytes * 2, limits_.stream_window_max_bytes);
  if (wanted <= stream.window_bytes || wanted - stream.window_bytes > window_budget_bytes_) return;
  window_budget_bytes_ -= wanted - stream.window_bytes;
  stream.window_bytes = wanted;
  nghttp2_session_set_local_window_size(raw(), NGHTTP2_FLAG_NONE, stream.id,
                                        static_cast<std::int32_t>(wanted));
}

std::size_t H2Session::queued_bytes(std::int32_t id) const {
  const Stream* stream = find(id);
  return stream == nullptr ? 0 : stream->queue.size() - stream->queue_at;
}

void H2Session::close() {
  if (is_closing_) return;
  is_closing_ = true;
  nghttp2_session_terminate_session(raw(), NGHTTP2_NO_ERROR);
  dispatch();
  end_all(Error{Code::kShutdown, Fault::kProxy, {}});
}

void H2Session::abort(const base::Error& error) {
  if (is_aborted_) return;
  is_aborted_ = true;
  is_closing_ = true;
  release(output_);
  dispatch();
  end_all(error);
}

void H2Session::fail(H2Code code, base::Error error) {
  if (error_) return;
  error_ = std::move(error);
  nghttp2_session_terminate_session(raw(), static_cast<std::uint32_t>(code));
}

void H2Session::end_all(const base::Error& error) {
  const auto streams = std::exchange(streams_, {});
  for (const auto& [id, stream] : streams) {
    if (stream.is_answered) continue;
    if (!stream.is_announced) {
      drop_unannounced(id, error);
      continue;
    }
    if (!stream.is_reset_by_us) handler_.on_reset(id, error);
    handler_.on_closed(id);
  }
}

const H2Session::Stream* H2Session::find(std::int32_t id) const {
  const auto it = streams_.find(id);
  return it == streams_.end() ? nullptr : &it->second;
}

H2Session::Stream* H2Session::find(std::int32_t id) {
  const auto it = streams_.find(id);
  return it == streams_.end() ? nullptr : &it->second;
}

H2Session::Stream& H2Session::add_stream(std::int32_t id) {
  Stream& stream = streams_[id];
  stream.id = id;
  stream.window_bytes = limits_.stream_window_bytes;
  return stream;
}

void H2Session::close_stream(std::int32_t id, H2Code code) {
  const auto node = streams_.extract(id);
  if (node.empty()) return;
  const Stream& stream = node.mapped();
  window_budget_bytes_ += stream.window_bytes - limits_.stream_window_bytes;
  if (stream.is_answered) return;
  // What an origin thinks of a request whose answer we have is no matter any more.
  const bool is_whole =
      stream.is_received && !stream.error && (stream.is_sent || side_ == Side::kClient);
  const bool is_broken = !is_whole && !stream.is_reset_by_us;
  if (!stream.is_announced) {
    pending_.push_back({Pending::Kind::kUnannounced, id, close_error(stream, code)});
    return;
  }
  if (is_broken) pending_.push_back({Pending::Kind::kReset, id, close_error(stream, code)});
  pending_.push_back({Pending::Kind::kClosed, id, {}});
}

base::Error H2Session::close_error(const Stream& stream, H2Code code) const {
  if (stream.error) return *stream.error;
  if (code == H2Code::kRefusedStream && side_ == Side::kClient) {
    return {Code::kStreamRefused, peer_, {}};
  }
  if (stream.is_reset_by_peer) return {Code::kReset, peer_, text_of(code)};
  if (stream.has_length && code == H2Code::kProtocolError) {
    return {Code::kBadContentLength, peer_, "body of another length"};
  }
  return {Code::kHttp2Protocol, peer_, text_of(code)};
}

void H2Session::on_headers(std::int32_t id, StreamEnd end) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->is_reset_by_us || stream->error) return;
  HeaderBlock block = std::exchange(stream->block, {});
  if (stream->has_head) {
    if (end == StreamEnd::kHere) on_end(id, trailers_from(std::move(block)));
    return;
  }
  stream->has_length = block.fields.has("content-length");
  if (end == StreamEnd::kHere) stream->is_received = true;
  auto taken = take_head(*stream, std::move(block), end);
  if (!taken) {
    stream->error = std::move(taken.error());
    nghttp2_submit_rst_stream(raw(), NGHTTP2_FLAG_NONE, id, NGHTTP2_PROTOCOL_ERROR);
  }
}

void H2Session::on_end(std::int32_t id, Fields trailers) {
  Stream* stream = find(id);
  if (stream == nullptr) return;
  stream->is_received = true;
  if (!stream->is_answered && !stream->is_reset_by_us) handler_.on_end(id, std::move(trailers));
}

void H2Session::on_reset_sent(std::int32_t id) {
  const Stream* stream = find(id);
  if (stream != nullptr && stream->is_reset_by_us) return;
  meter_.reset_provoked(now_);
  if (meter_.breach()) fail(H2Code::kEnhanceYourCalm, *meter_.breach());
}

void H2Session::count_break_off() {
  meter_.reset_broke_off(now_);
  if (meter_.breach()) fail(H2Code::kEnhanceYourCalm, *meter_.breach());
}

void H2Session::on_end_sent(std::int32_t id) {
  Stream* stream = find(id);
  if (stream == nullptr) return;
  stream->is_sent = true;
  if (side_ == Side::kClient || stream->is_received) return;
  stream->is_reset_by_us = true;
  nghttp2_submit_rst_stream(raw(), NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
}

// The GOAWAY may be nghttp2's own, for an error that no callback reports.
void H2Session::on_goaway_sent(H2Code code, std::string_view reason) {
  if (error_ || code == H2Code::kNoError) return;
  const bool is_flood = code == H2Code::kEnhanceYourCalm;
  error_ = Error{is_flood ? Code::kHttp2Flood : Code::kHttp2Protocol, peer_,
                 reason.empty() ? text_of(code) : fmt::format("{}: {}", text_of(code), reason)};
}

namespace {

template <class Read>
nghttp2_data_provider provider(Read read) {
  nghttp2_data_provider out{};
  out.read_callback = read;
  return out;
}

}  // namespace

int H2Session::submit_response(Stream& stream, const HeaderList& list, StreamEnd end) {
  const auto nv = to_nv(list);
  const nghttp2_data_provider body = provider(Callbacks::read_queue);
  stream.is_head_sent = true;
  if (end == StreamEnd::kHere) stream.is_end_queued = true;
  return nghttp2_submit_response(raw(), stream.id, nv.data(), nv.size(),
                                 end == StreamEnd::kHere ? nullptr : &body);
}

void H2Session::submit_interim(Stream& stream, const HeaderList& list) {
  const auto nv = to_nv(list);
  nghttp2_submit_headers(raw(), NGHTTP2_FLAG_NONE, stream.id, nullptr, nv.data(), nv.size(),
                         nullptr);
}

std::int32_t H2Session::submit_request(const HeaderList& list, StreamEnd end) {
  const auto nv = to_nv(list);
  const nghttp2_data_provider body = provider(Callbacks::read_queue);
  return nghttp2_submit_request(raw(), nullptr, nv.data(), nv.size(),
                                end == StreamEnd::kHere ? nullptr : &body, nullptr);
}

}  // namespace leash::http
