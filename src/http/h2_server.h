// The client leg: agents are its clients.
#pragma once

#include "http/h2_session.h"

namespace leash::http {

class H2Server final : public H2Session {
 public:
  class Handler : public H2StreamHandler {
   public:
    // A valid request. `ends_here`: no body, and no on_end. An extended CONNECT for a WebSocket
    // (RFC 8441) has method "CONNECT" and `protocol` "websocket"; a 2xx head opens it and body
    // bytes are its frames.
    virtual void on_request(std::int32_t stream, RequestHead head, bool ends_here) = 0;
    // A request against a rule. It has been reset, or answered: 405 for CONNECT; or the
    // connection ended while the request was not whole. Nothing else comes
    // for this stream, and the id means nothing to other methods.
    virtual void on_refused(std::int32_t stream, const base::Error& error) = 0;
  };

  // `handler` must outlive this.
  H2Server(const H2Limits& limits, Handler& handler);

  // Interim heads (1xx) as often as wanted, then one final head. Once a whole response has gone out
  // before its request was whole, the stream is reset with NO_ERROR (RFC 9113 s. 8.1).
  void send_head(std::int32_t stream, const ResponseHead& head, bool ends_here);
  // GOAWAY in two steps (RFC 9113 s. 6.8): streams that are under way may finish. A client that
  // never answers the PING between them stays undrained: have a deadline.
  void drain();
  // Drained, all streams closed and all output taken.
  [[nodiscard]] bool is_drained() const;

 private:
  base::Result<void> take_head(Stream& stream, HeaderBlock block, StreamEnd end) override;
  void drop_unannounced(std::int32_t stream, const base::Error& error) override;
  void take_goaway(std::int32_t last_stream) override;
  void take_settings() override;
  void take_ping_ack() override;

  enum class Drain { kNo, kNotice, kFinal };

  Handler& handler_;
  Drain drain_ = Drain::kNo;
};

}  // namespace leash::http
