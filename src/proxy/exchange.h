// One request with its response: from its head, through the gates, to the origin and back, to its
// outcome on record.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audit/capture.h"
#include "net/loop.h"
#include "proxy/context.h"
#include "proxy/gate.h"
#include "proxy/services.h"
#include "proxy/streams.h"
#include "proxy/websocket_tap.h"

namespace leash::proxy {

// Of the final response head, as the origin sent it: what the record wants.
struct ResponseFacts {
  int status = 0;
  std::string headers;  // JSON
  std::string content_encoding;
};

class Exchange final : public ClientEvents, public OriginEvents {
 public:
  // What may become of the client's connection.
  enum class Finish { kKeep, kClose };
  class Owner {
   public:
    // The exchange is over and on record. It must not be destroyed inside the call (Loop::bury).
    virtual void on_exchange_done(Exchange& exchange, Finish finish) = 0;

   protected:
    ~Owner() = default;
  };

  Exchange(Services& services, ClientStream& client, Owner& owner, Context&& context);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Once, after construction.
  void start();
  // The policy has changed: what has lost its right is cut.
  void recheck(const policy::Snapshot& snapshot);
  // Ends it now, whatever it does, and puts that on record.
  void cut(const base::Error& error);
  [[nodiscard]] const Context& context() const { return context_; }
  // What its client has sent is held, since it is not wanted yet. May cut the exchange.
  void on_client_held() { (void)weigh(); }
  // A WebSocket or an answer without end may outlast a drain.
  [[nodiscard]] bool is_done() const { return phase_ == Phase::kDone; }

  void on_request_body(std::string_view bytes) override;
  void on_request_end(http::Fields trailers) override;
  void on_client_error(base::Error error) override;
  void on_client_drained() override;
  void on_client_raw(std::string_view bytes) override;
  void on_client_raw_end() override;

 private:
  enum class Phase {
    kDeciding,  // at a gate
    kDialing,   // waits for its origin stream
    kRelaying,  // head is at the origin
    kRefused,   // takes in the rest of a refused request's body for the log
    kRaw,       // a WebSocket
    kDone,
  };

  void on_response_head(http::ResponseHead head) override;
  void on_response_body(std::string_view bytes) override;
  void on_response_end(http::Fields trailers) override;
  void on_origin_error(base::Error error, bool is_untouched) override;
  void on_origin_drained() override;
  void on_origin_raw(std::string_view bytes) override;
  void on_origin_raw_end() override;

  using Step = void (Exchange::*)();
  void pass(Gate& gate, Step next);
  void on_gate(std::optional<Refusal> refusal);
  [[nodiscard]] OriginPool::Key pool_key() const;
  [[nodiscard]] const base::SocketAddress* refused_address() const;
  void check_names();
  [[nodiscard]] std::unique_ptr<OriginStream> take_pooled();
  void find_origin();
  void find_addresses();
  void record_intent();
  void reach_origin();
  void judge_addresses();
  void refuse_changed(Refusal refusal);
  void begin();
  enum class Stamp { kSet, kRemove };
  void stamp_source(http::Fields& fields, Stamp stamp) const;
  void refuse(Refusal refusal);
  void answer_refusal();
  void send_answer(const Refusal& refusal);
  void note_response(const http::ResponseHead& head);
  void begin_websocket(http::ResponseHead head);
  void end_websocket(const std::optional<base::Error>& why);
  enum class Way { kUp, kDown };
  void record_messages(const std::vector<http::WebSocketText>& texts, Way way);
  [[nodiscard]] bool may_try_again(const base::Error& error, bool is_untouched) const;
  [[nodiscard]] bool captures_websocket() const {
    return services_.shared.settings.captures_websocket;
  }

  void fail(const Refusal& refusal);
  void record_allowed();
  void record_outcome(const audit::Record& record);
  void count_bytes();
  void fill_transfer(audit::Record& record);
  void fill_bodies(audit::Record& record);
  void drop_origin();
  void finish(Finish finish);
  [[nodiscard]] std::size_t buffer_bytes() const;
  void count_held();
  // After something was added. False: its client holds too much, and this exchange has been cut.
  [[nodiscard]] bool weigh();
  void touch();
  void on_idle_check();

  Services& services_;
  ClientStream& client_;
  Owner& owner_;
  Context context_;
  Phase phase_ = Phase::kDeciding;
  std::unique_ptr<net::Pending> pending_;
  Step next_ = nullptr;  // behind the gate that was asked last
  std::unique_ptr<OriginStream> origin_;
  OriginFacts facts_;
  net::Timer timer_;
  MemoryShare share_;
  std::size_t head_bytes_ = 0;  // of the request, and of what the record will say of both heads
  std::chrono::steady_clock::time_point last_activity_;

  std::optional<Refusal> refusal_;
  std::optional<audit::Capture> request_capture_;
  std::optional<audit::Capture> response_capture_;
  std::optional<ResponseFacts> response_;
  std::optional<std::string> request_headers_;  // JSON; once the request's own are the origin's
  std::optional<std::string> websocket_key_;
  std::unique_ptr<WebsocketTap> websocket_;
  bool needs_http1_ = false;  // a WebSocket, at an origin whose HTTP/2 has none
  http::Fields request_trailers_;
  std::string grpc_status_;
  std::uint64_t bytes_up_ = 0;
  std::uint64_t bytes_down_ = 0;
  std::uint64_t counted_up_ = 0;
  std::uint64_t counted_down_ = 0;
  std::size_t interim_bytes_ = 0;
  bool is_started_ = false;
  bool is_stale_ = false;  // decided by a policy that may no longer be in force
  bool request_ended_ = false;
  bool request_forwarded_ = false;
  bool intent_recorded_ = false;
  bool outcome_recorded_ = false;
  bool head_sent_ = false;
  bool was_retried_ = false;
  bool client_is_gone_ = false;
  bool client_raw_ended_ = false;
  bool origin_raw_ended_ = false;
};

}  // namespace leash::proxy
