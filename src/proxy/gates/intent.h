// The intent gate: the request is on record before a byte of it goes to the origin (point: request
// head).
#pragma once

#include "audit/log_writer.h"
#include "audit/record.h"
#include "net/loop.h"
#include "proxy/gate.h"

namespace leash::proxy {

class IntentGate final : public Gate {
 public:
  IntentGate(net::Loop& loop, audit::LogWriter& log, const audit::Redactor& redactor)
      : loop_(loop), log_(log), redactor_(redactor) {}

  // Holds until the writer has acknowledged the line; 503 audit_unavailable where it cannot.
  std::unique_ptr<net::Pending> check(Context& context, Done done) override;

 private:
  net::Loop& loop_;
  audit::LogWriter& log_;
  const audit::Redactor& redactor_;
};

}  // namespace leash::proxy
