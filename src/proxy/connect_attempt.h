// One CONNECT on its way through the gates to a connected origin.
#pragma once

#include <memory>

#include "proxy/context.h"
#include "proxy/gate.h"
#include "proxy/services.h"

namespace leash::proxy {

class ConnectAttempt {
 public:
  class Owner {
   public:
    // On record and connected (or a connection is at hand): the 200 may go out. `context` holds the
    // decision.
    virtual void on_connect_allowed(Context& context) = 0;
    // On record as well.
    virtual void on_connect_refused(const Refusal& refusal, const Context& context) = 0;

   protected:
    ~Owner() = default;
  };

  // Destroying it ends the attempt, and that is put on record: its name may have been looked up.
  ConnectAttempt(Services& services, Owner& owner, Context context);
  ~ConnectAttempt();
  ConnectAttempt(const ConnectAttempt&) = delete;
  ConnectAttempt& operator=(const ConnectAttempt&) = delete;

  void start();
  // The policy has changed: it is judged anew before it goes on.
  void recheck() { is_stale_ = true; }

 private:
  using Step = void (ConnectAttempt::*)();
  void pass(Gate& gate, Step next);
  void find_origin();
  void record_intent();
  void reach_origin();
  void judge_anew(Step next);
  void judge_addresses();
  void refuse_changed(Refusal refusal);
  void dial();
  void allow();
  void refuse(const Refusal& refusal);

  Services& services_;
  Owner& owner_;
  Context context_;
  std::unique_ptr<net::Pending> pending_;
  Step next_ = nullptr;    // behind judge_addresses()
  bool is_stale_ = false;  // decided by a policy that may no longer be in force
  bool is_over_ = false;
};

}  // namespace leash::proxy
