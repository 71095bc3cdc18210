// One codec on a client's connection, as the session sees it.
#pragma once

#include <string_view>

#include "base/error.h"
#include "policy/snapshot.h"
#include "proxy/context.h"
#include "proxy/gate.h"
#include "proxy/transport.h"

namespace leash::proxy {

class ClientLeg {
 public:
  virtual ~ClientLeg() = default;
  virtual void on_bytes(std::string_view plain) = 0;
  virtual void on_eof(End end) = 0;
  virtual void on_error(base::Error error) = 0;
  virtual void on_drained() = 0;
  // No further request; the session ends when those under way have.
  virtual void drain() = 0;
  // Ends what runs, now, and puts it on record.
  virtual void cut(const base::Error& error) = 0;
  virtual void recheck(const policy::Snapshot& snapshot) = 0;
};

// What a leg needs of its session.
class LegOwner {
 public:
  // A request's context, or why it cannot be one (a wrong scheme inside a tunnel).
  [[nodiscard]] virtual base::Result<Context> make_context(http::RequestHead&& head) = 0;
  [[nodiscard]] virtual const std::shared_ptr<ClientMemory>& memory() const = 0;
  // A CONNECT outside a tunnel. The leg stops parsing until it is told how that went.
  virtual void on_connect(http::RequestHead head) = 0;
  // What could not become a request: the line is written here, the answer by the leg.
  virtual void record_error(const Refusal& refusal) = 0;
  // An exchange has left its lines in the log.
  virtual void on_exchange_recorded() = 0;
  // The leg is through; the connection ends once what is queued has gone (kGently) or at once.
  enum class Ending { kGently, kAtOnce };
  virtual void on_leg_done(Ending ending) = 0;

 protected:
  ~LegOwner() = default;
};

}  // namespace leash::proxy
