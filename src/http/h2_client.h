// The origin leg: we are the client.
#pragma once

#include "http/h2_session.h"

namespace leash::http {

class H2Client final : public H2Session {
 public:
  class Handler : public H2StreamHandler {
   public:
    // Interim heads, then the final one. `ends_here`: no body, and no on_end.
    virtual void on_head(std::int32_t stream, ResponseHead head, bool ends_here) = 0;
    // The origin takes no new streams. Those above `last_stream` get on_reset with stream_refused
    // next.
    virtual void on_goaway(std::int32_t last_stream) = 0;
    // The origin's SETTINGS have come, the first or later ones.
    virtual void on_settings() {}
  };

  // `handler` must outlive this.
  H2Client(const H2Limits& limits, Handler& handler);

  // Sends a request; `head.protocol` makes it an extended CONNECT. The id holds until on_closed.
  // Errors: too_many_streams (the origin's or our limit is used up), stream_refused (GOAWAY, or no
  // ids left: use another connection), upgrade_refused (no extended CONNECT here).
  [[nodiscard]] base::Result<std::int32_t> start(const RequestHead& head, bool ends_here);
  // How often start() would not fail now for reasons of the connection.
  [[nodiscard]] std::size_t room() const;
  [[nodiscard]] bool is_going_away() const { return is_going_away_; }
  // The origin's first SETTINGS have come; before that, the next is not known.
  [[nodiscard]] bool has_settings() const { return has_settings_; }
  [[nodiscard]] bool is_extended_connect_allowed() const;

  // Is the connection alive? pings_pending() falls when the answer comes; the caller has the timer.
  void ping();
  [[nodiscard]] int pings_pending() const { return pings_pending_; }

 private:
  base::Result<void> take_head(Stream& stream, HeaderBlock block, StreamEnd end) override;
  void drop_unannounced(std::int32_t stream, const base::Error& error) override;
  void take_goaway(std::int32_t last_stream) override;
  void take_settings() override;
  void take_ping_ack() override;

  Handler& handler_;
  bool is_going_away_ = false;
  bool has_settings_ = false;
  int pings_pending_ = 0;
};

}  // namespace leash::http
