// The HTTP/2 codec on a client's connection: concurrent streams, each an exchange of its own.
#pragma once

#include <cstddef>
#include <memory>
#include <unordered_map>

#include "http/h2_server.h"
#include "net/loop.h"
#include "proxy/client_leg.h"
#include "proxy/services.h"

namespace leash::proxy {

class H2ClientLeg final : public ClientLeg, public http::H2Server::Handler {
 public:
  H2ClientLeg(Services& services, Transport& transport, LegOwner& owner);
  ~H2ClientLeg() override;

  void on_bytes(std::string_view plain) override;
  void on_eof(End end) override;
  void on_error(base::Error error) override;
  void on_drained() override;
  void drain() override;
  void cut(const base::Error& error) override;
  void recheck(const policy::Snapshot& snapshot) override;

 private:
  class Stream;

  void on_request(std::int32_t stream, http::RequestHead head, bool ends_here) override;
  void on_refused(std::int32_t stream, const base::Error& error) override;
  void on_body(std::int32_t stream, std::string_view bytes) override;
  void on_end(std::int32_t stream, http::Fields trailers) override;
  void on_reset(std::int32_t stream, const base::Error& error) override;
  void on_sendable(std::int32_t stream) override;
  void on_closed(std::int32_t stream) override;

  [[nodiscard]] Stream* find(std::int32_t stream);
  void forget(std::int32_t stream);
  void pump();
  void on_pump_due();
  void look_for_end();
  void end(LegOwner::Ending ending);
  void on_timer();

  Services& services_;
  Transport& transport_;
  LegOwner& owner_;
  http::H2Server server_;
  MemoryShare share_;                  // what waits in the transport
  std::size_t held_at_last_look_ = 0;  // of answers, when the timer went off
  net::Timer timer_;                   // idle, and how long a drain may take its PING
  std::unordered_map<std::int32_t, std::unique_ptr<Stream>> streams_;
  bool ended_ = false;
  bool is_draining_ = false;
  bool error_recorded_ = false;
  net::Deferred pump_soon_;
};

}  // namespace leash::proxy
