// The one table from errors and refusals to what the client is answered.
#pragma once

#include <string>

#include "base/error.h"
#include "http/message.h"
#include "proxy/context.h"
#include "proxy/gate.h"

namespace leash::proxy {

// Status, audit word and text for an error. Client faults close the connection.
[[nodiscard]] Refusal refusal_for(const base::Error& error);

struct Answer {
  http::ResponseHead head;
  std::string body;
};
// `leash: HOST:PORTPATH blocked (REASON)` and its kin, text/plain. Byte for byte as the original
// for 403.
[[nodiscard]] Answer answer_for(const Refusal& refusal, const Context& context);
// For what could not even be parsed.
[[nodiscard]] Answer answer_for(const Refusal& refusal);

}  // namespace leash::proxy
