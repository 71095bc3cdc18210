// The HTTP/2 codec on an origin connection: the exchanges of one agent for one authority share it.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "config/settings.h"
#include "http/h2_client.h"
#include "net/loop.h"
#include "proxy/origin_leg.h"

namespace leash::proxy {

class H2OriginLeg final : public OriginLeg, public http::H2Client::Handler {
 public:
  H2OriginLeg(net::Loop& loop, Transport& transport, const config::Limits& limits, Owner& owner);
  ~H2OriginLeg() override;

  std::unique_ptr<OriginStream> open(OriginEvents& events, const OriginFacts& facts) override;
  [[nodiscard]] bool can_open() const override;
  [[nodiscard]] bool is_unused() const override { return open_streams_ == 0; }
  [[nodiscard]] bool is_broken() const override;
  [[nodiscard]] bool is_shared() const override { return true; }

  void on_bytes(std::string_view bytes) override;
  void on_eof(End end) override;
  void on_error(base::Error error) override;
  void on_drained() override;

 private:
  class Stream;

  void on_head(std::int32_t stream, http::ResponseHead head, bool ends_here) override;
  void on_goaway(std::int32_t last_stream) override;
  void on_settings() override;
  void on_body(std::int32_t stream, std::string_view bytes) override;
  void on_end(std::int32_t stream, http::Fields trailers) override;
  void on_reset(std::int32_t stream, const base::Error& error) override;
  void on_sendable(std::int32_t stream) override;
  void on_closed(std::int32_t stream) override;

  [[nodiscard]] Stream* find(std::int32_t stream);
  void fail_waiting(const base::Error& error);
  void pump();
  void settle();

  net::Loop& loop_;
  Transport& transport_;
  Owner& owner_;
  std::size_t buffer_bytes_;
  http::H2Client client_;
  std::unordered_map<std::int32_t, Stream*> streams_;
  std::vector<Stream*> waiting_;  // WebSockets: whether there are any here, SETTINGS say
  std::size_t open_streams_ = 0;  // opened by exchanges and not released, started or not
  bool is_lost_ = false;
  std::shared_ptr<H2OriginLeg*> self_ = std::make_shared<H2OriginLeg*>(this);
  // Sends what there is and tells the owner, once for all the streams of a turn.
  net::Deferred settle_soon_;
};

}  // namespace leash::proxy
