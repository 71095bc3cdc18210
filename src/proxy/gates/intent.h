// The intent gate: the request is on record before a byte of it goes to the origin (point: request
// head).
#pragma once

#include <memory>

#include "audit/log_writer.h"
#include "audit/record.h"
#include "net/loop.h"
#include "proxy/gate.h"
#include "proxy/metrics.h"

namespace leash::proxy {

class IntentGate final : public Gate {
 public:
  // As the loop, it outlives the writer's answers (LogWriter::close).
  IntentGate(net::Loop& loop, audit::LogWriter& log, const audit::Redactor& redactor,
             Metrics& metrics);

  // Holds until the writer has acknowledged the line; 503 audit_unavailable where it cannot.
  std::unique_ptr<net::Pending> check(Context& context, Done done) override;

 private:
  class Answers;
  class Acknowledgement;

  audit::LogWriter& log_;
  const audit::Redactor& redactor_;
  // Shared with the exchanges that wait, and with answers on their way, which may outlive the gate.
  std::shared_ptr<Answers> answers_;
  net::Deferred wake_;  // one call of the writer for all the intents of a turn of the loop
};

}  // namespace leash::proxy
