// One request with its response: from its head, through the gates, to the origin and back, to its
// outcome on record.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "audit/capture.h"
#include "net/loop.h"
#include "proxy/context.h"
#include "proxy/gate.h"
#include "proxy/services.h"
#include "proxy/streams.h"
#include "proxy/websocket_tap.h"

namespace leash::proxy {

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

  Exchange(Services& services, ClientStream& client, Owner& owner, Context context);
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

  void pass(Gate& gate, void (Exchange::*next)());
  [[nodiscard]] OriginPool::Key pool_key() const;
  void check_names();
  void find_origin();
  void record_intent();
  void reach_origin();
  void begin();
  void refuse(Refusal refusal);
  void answer_refusal();
  void send_answer(const Refusal& refusal);
  void begin_websocket(http::ResponseHead head);
  void end_websocket(const std::optional<base::Error>& why);
  [[nodiscard]] bool may_try_again(bool is_untouched) const;

  void fail(const Refusal& refusal);
  void record_allowed();
  void record_outcome(const audit::Record& record);
  void count_bytes();
  void fill_transfer(audit::Record& record);
  void fill_bodies(audit::Record& record);
  void drop_origin();
  void finish(Finish finish);
  void touch();
  void on_idle_check();

  Services& services_;
  ClientStream& client_;
  Owner& owner_;
  Context context_;
  Phase phase_ = Phase::kDeciding;
  std::unique_ptr<net::Pending> pending_;
  std::unique_ptr<OriginStream> origin_;
  OriginFacts facts_;
  net::Timer timer_;
  std::chrono::steady_clock::time_point last_activity_;

  std::optional<Refusal> refusal_;
  std::optional<audit::Capture> request_capture_;
  std::optional<audit::Capture> response_capture_;
  std::optional<http::ResponseHead> response_;  // as the origin sent it
  std::optional<std::string> websocket_key_;
  std::unique_ptr<WebsocketTap> websocket_;
  http::Fields request_trailers_;
  std::string grpc_status_;
  std::uint64_t bytes_up_ = 0;
  std::uint64_t bytes_down_ = 0;
  std::uint64_t counted_up_ = 0;
  std::uint64_t counted_down_ = 0;
  bool is_started_ = false;
  bool is_stale_ = false;  // decided by a policy that is no longer in force
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
