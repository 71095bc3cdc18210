#include "proxy/records.h"

#include <utility>
#include <vector>

namespace leash::proxy {

audit::Record base_record(audit::Event event, const Context& context,
                          const audit::Redactor& redactor) {
  audit::Record record;
  record.event = event;
  record.client = context.client;
  record.host = context.authority.host.text();
  record.port = context.authority.port;
  record.id = context.id;
  record.agent = context.agent;
  record.rule = context.decision.rule;
  record.note = context.decision.note;
  record.names = context.names;
  if (context.tunnel != nullptr) {
    record.tunnel = context.tunnel->id;
    record.sni = context.tunnel->sni;
  }
  if (!context.is_connect) {
    record.method = context.head.method;
    record.url = redactor.url(context.url());
  }
  return record;
}

audit::Record intent_record(const Context& context, const audit::Redactor& redactor) {
  return base_record(context.is_connect ? audit::Event::kConnectAllowed : audit::Event::kRequest,
                     context, redactor);
}

audit::Record refusal_record(const Refusal& refusal, const Context& context,
                             const audit::Redactor& redactor) {
  audit::Record record = base_record(refusal.event, context, redactor);
  fill_reason(record, refusal);
  record.addr = refusal.address;
  if (refusal.event == audit::Event::kBlocked && !context.is_connect) {
    record.req_headers = header_list(context.head.fields, redactor);
  }
  return record;
}

void fill_reason(audit::Record& record, const Refusal& refusal) {
  record.reason = refusal.reason;
  if (refusal.detail.empty()) return;
  if (refusal.event == audit::Event::kBlocked) {
    record.extra.emplace_back("detail", refusal.detail);
  } else {
    record.reason.append(": ").append(refusal.detail);
  }
}

void count_refusal(Metrics& metrics, const Refusal& refusal) {
  count(refusal.event == audit::Event::kBlocked ? metrics.blocked : metrics.errors);
  const std::string& reason = refusal.reason;
  if (refusal.status == 431) count(metrics.limit_head);
  if (reason == "connect_timeout" || reason == "resolve_timeout") count(metrics.limit_connect_time);
  if (reason == "http2_flood" || reason == "too_many_streams") count(metrics.limit_h2);
  if (reason == "audit_unavailable") count(metrics.audit_refused);
}

audit::HeaderList header_list(const http::Fields& fields, const audit::Redactor& redactor) {
  std::vector<std::pair<std::string_view, std::string_view>> pairs;
  pairs.reserve(fields.size());
  for (const http::Field& field : fields.all()) pairs.emplace_back(field.name, field.value);
  audit::HeaderList headers = audit::fold_headers(pairs);
  redactor.headers(headers);
  return headers;
}

}  // namespace leash::proxy
