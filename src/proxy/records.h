// Audit records out of what the proxy knows.
#pragma once

#include "audit/record.h"
#include "proxy/context.h"
#include "proxy/gate.h"
#include "proxy/metrics.h"

namespace leash::proxy {

// The fields that each line of a request or CONNECT shares.
[[nodiscard]] audit::Record base_record(audit::Event event, const Context& context,
                                        const audit::Redactor& redactor);
// connect_allowed or request.
[[nodiscard]] audit::Record intent_record(const Context& context, const audit::Redactor& redactor);
// blocked or error. The request stage has method, url and (blocked) the request's headers.
[[nodiscard]] audit::Record refusal_record(const Refusal& refusal, const Context& context,
                                           const audit::Redactor& redactor);
// `reason` of a blocked line is the bare word, as the original writes it and people grep for it,
// with the detail in a field of its own; elsewhere it is "word: detail".
void fill_reason(audit::Record& record, const Refusal& refusal);
// Counts a refusal or error: the event, and the limit where one has bitten.
void count_refusal(Metrics& metrics, const Refusal& refusal);
// See audit/header_json.h.
[[nodiscard]] std::string header_json(const http::Fields& fields, const audit::Redactor& redactor);

}  // namespace leash::proxy
