// What both legs share of an HTTP/2 connection (RFC 9113): nghttp2 without sockets and without a
// clock.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "base/free_with.h"
#include "http/h2_fields.h"
#include "http/h2_frame_meter.h"
#include "http/h2_limits.h"
#include "http/message.h"

struct nghttp2_session;
extern "C" void nghttp2_session_del(nghttp2_session* session);

namespace leash::http {

// Error codes of RST_STREAM and GOAWAY (RFC 9113 s. 7).
enum class H2Code : std::uint32_t {
  kNoError = 0x0,
  kProtocolError = 0x1,
  kInternalError = 0x2,
  kFlowControlError = 0x3,
  kSettingsTimeout = 0x4,
  kStreamClosed = 0x5,
  kFrameSizeError = 0x6,
  kRefusedStream = 0x7,
  kCancel = 0x8,
  kCompressionError = 0x9,
  kConnectError = 0xa,
  kEnhanceYourCalm = 0xb,
  kInadequateSecurity = 0xc,
  kHttp11Required = 0xd,
};

// "PROTOCOL_ERROR"; "0x1f" for an unknown one.
[[nodiscard]] std::string text_of(H2Code code);

// Calls that come while receive() or output() runs. They may send, reset and consume on any stream,
// but not call receive(), output(), close() or abort(), nor destroy the session.
class H2StreamHandler {
 public:
  virtual ~H2StreamHandler() = default;
  // Flow-control credit for these bytes is the peer's again when consume() says so.
  virtual void on_body(std::int32_t stream, std::string_view bytes) = 0;
  // The peer's message is whole. Does not come after a head that already ended it.
  virtual void on_end(std::int32_t stream, Fields trailers) = 0;
  // The exchange broke off, by the peer's will or error; on_closed follows. http2_protocol,
  // bad_content_length and others of the message: its error. reset: its RST_STREAM, the detail
  // names the code. stream_refused: the peer has not looked at the request, it may be sent again
  // (RFC 9113 s. 8.7).
  virtual void on_reset(std::int32_t stream, const base::Error& error) = 0;
  // The stream's queue was above H2Limits::low_mark_bytes and no longer is.
  virtual void on_sendable(std::int32_t stream) = 0;
  // The last word about a stream; later calls with its id do nothing. Also after reset().
  virtual void on_closed(std::int32_t stream) = 0;
};

// Ids that are unknown or closed are let pass in silence by all methods: the other side may have
// hung up.
class H2Session {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  H2Session(const H2Session&) = delete;
  H2Session& operator=(const H2Session&) = delete;

  // An error is the connection's: http2_protocol, http2_flood, head_too_large, too_many_fields,
  // too_many_streams. Every open stream has then had on_reset and on_closed, output() holds the
  // GOAWAY, and each further call returns the same error. Call output() after each receive().
  [[nodiscard]] base::Result<void> receive(std::string_view bytes, TimePoint now);
  // What is to be sent; take bytes from the front (or all) and call again for more. Holds about
  // H2Limits::output_bytes at most. Empty: nothing to send now.
  [[nodiscard]] std::string& output();
  // The memory of output(), for who has other use for it while this session idles: taken away where
  // it is empty, and lent again before the next receive() or output(), or else it grows anew.
  [[nodiscard]] std::string take_buffer();
  // Not while there is something in it, however little room that takes.
  [[nodiscard]] bool wants_buffer() const {
    return output_.empty() && output_.capacity() <= std::string().capacity();
  }
  void lend_buffer(std::string buffer) { output_ = std::move(buffer); }
  // The connection's error, which can also come up in output().
  [[nodiscard]] const std::optional<base::Error>& error() const { return error_; }
  // Nothing more will be read or written: close when output() is empty.
  [[nodiscard]] bool is_finished() const;

  // Queues body bytes. There is no limit here: watch queued_bytes() and wait for on_sendable.
  void send_body(std::int32_t stream, std::string_view bytes);
  // The message is whole. Trailers that may not be trailers are dropped.
  void send_end(std::int32_t stream, const Fields& trailers = {});
  // Drops what is queued. on_closed follows (from a later output()), on_reset does not.
  void reset(std::int32_t stream, H2Code code);
  // `n` bytes given by on_body have gone on. What was never consumed is forgotten with the stream.
  void consume(std::int32_t stream, std::size_t n);
  [[nodiscard]] std::size_t queued_bytes(std::int32_t stream) const;
  [[nodiscard]] std::size_t active_streams() const { return streams_.size(); }
  // Says GOAWAY at once and ends all streams: on_reset with shutdown, on_closed.
  void close();
  // The transport has gone: on_reset with `error`, on_closed for each stream. No output follows.
  void abort(const base::Error& error);

 protected:
  enum class Side { kServer, kClient };
  struct Stream {
    std::int32_t id = 0;
    std::string method;         // of the request
    HeaderBlock block;          // being received
    bool is_announced = false;  // the handler knows of it
    bool has_head = false;      // the final head has come
    bool has_length = false;    // with content-length
    bool is_received = false;   // to its end
    bool is_answered = false;   // by us, over the handler's head; its body is thrown away

    std::string queue;  // body bytes to send, from queue_at
    std::size_t queue_at = 0;
    Fields trailers;
    bool is_head_sent = false;
    bool is_end_queued = false;
    bool is_deferred = false;  // nghttp2 waits for nghttp2_session_resume_data
    bool is_above_low_mark = false;
    bool is_sent = false;  // to its end

    bool is_reset_by_us = false;
    bool is_reset_by_peer = false;
    std::optional<base::Error> error;  // known before the stream closes

    std::size_t unconsumed_bytes = 0;
    std::size_t window_bytes = 0;
    std::size_t read_bytes = 0;  // since the window last grew
  };

  H2Session(Side side, const H2Limits& limits, H2StreamHandler& handler);
  ~H2Session();

  // The header block of a request or response, whole. An error resets the stream.
  virtual base::Result<void> take_head(Stream& stream, HeaderBlock block, StreamEnd end) = 0;
  // A stream that closed before the handler knew of it.
  virtual void drop_unannounced(std::int32_t stream, const base::Error& error) = 0;
  virtual void take_goaway(std::int32_t last_stream) = 0;
  virtual void take_settings() = 0;
  virtual void take_ping_ack() = 0;

  [[nodiscard]] nghttp2_session* raw() const { return session_.get(); }
  [[nodiscard]] const H2Limits& limits() const { return limits_; }
  [[nodiscard]] Stream* find(std::int32_t stream);
  [[nodiscard]] const Stream* find(std::int32_t stream) const;
  Stream& add_stream(std::int32_t id);
  // HEADERS with END_STREAM or a body to follow. Negative: nghttp2's error.
  int submit_response(Stream& stream, const HeaderList& list, StreamEnd end);
  std::int32_t submit_request(const HeaderList& list, StreamEnd end);
  void submit_interim(Stream& stream, const HeaderList& list);
  [[nodiscard]] bool is_open() const { return !error_ && !is_closing_; }

 private:
  struct Callbacks;
  struct Pending {
    enum class Kind { kReset, kSendable, kClosed, kUnannounced } kind;
    std::int32_t stream;
    base::Error error;
  };

  void submit_settings();
  void feed(std::string_view bytes);
  void pump();
  void dispatch();
  void fail(H2Code code, base::Error error);
  void end_all(const base::Error& error);
  void close_stream(std::int32_t id, H2Code code);
  [[nodiscard]] base::Error close_error(const Stream& stream, H2Code code) const;
  void resume(Stream& stream);
  void grow_window(Stream& stream);
  void on_headers(std::int32_t id, StreamEnd end);
  void on_end(std::int32_t id, Fields trailers);
  void on_reset_sent(std::int32_t id);
  void count_break_off();
  void on_end_sent(std::int32_t id);
  void on_goaway_sent(H2Code code, std::string_view reason);

  Side side_;
  H2Limits limits_;
  H2StreamHandler& handler_;
  base::Fault peer_;
  FrameMeter meter_;
  TimePoint now_{};
  std::optional<base::Error> error_;
  bool is_closing_ = false;  // close() or abort()
  bool is_aborted_ = false;
  std::string output_;
  std::vector<Pending> pending_;
  std::size_t window_budget_bytes_ = 0;  // by which all stream windows together may still grow
  std::unordered_map<std::int32_t, Stream> streams_;
  // Last: its destruction frees what points at us.
  std::unique_ptr<nghttp2_session, base::FreeWith<nghttp2_session_del>> session_;
};

}  // namespace leash::http
