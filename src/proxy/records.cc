#include "proxy/records.h"

#include <utility>

#include "audit/header_json.h"

namespace leash::proxy {

audit::Record base_record(audit::Event event, const Context& context,
                          const audit::Redactor& redactor) {
  using audit::Text;
  audit::Record record;
  record.event = event;
  record.client = Text::borrowed(context.client);
  record.host = Text::borrowed(context.authority.host.text());
  record.port = context.authority.port;
  record.id = Text::borrowed(context.id);
  record.agent = Text::borrowed(context.agent);
  record.rule = Text::borrowed(context.decision.rule);
  record.note = Text::borrowed(context.decision.note);
  record.names = Text::borrowed(context.names);
  if (context.tunnel != nullptr) {
    record.tunnel = Text::borrowed(context.tunnel->id);
    record.sni = Text::borrowed(context.tunnel->sni);
  }
  if (!context.is_connect) {
    record.method = Text::borrowed(context.head.method);
    record.url = context.logged_url.empty() ? Text(redactor.url(context.url()))
                                            : Text::borrowed(context.logged_url);
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
    record.req_headers = header_json(context.head.fields, redactor);
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
  if (reason == "client_memory") count(metrics.limit_client_memory);
  if (reason == "audit_unavailable") count(metrics.audit_refused);
}

std::string header_json(const http::Fields& fields, const audit::Redactor& redactor) {
  audit::HeaderLines lines;
  lines.reserve(fields.size());
  for (const http::Field& field : fields.all()) lines.emplace_back(field.name, field.value);
  return audit::header_json(lines, redactor);
}

}  // namespace leash::proxy
