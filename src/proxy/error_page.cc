#include "proxy/error_page.h"

#include "http/forwarding.h"

namespace leash::proxy {
namespace {

using base::Code;
using base::Fault;

int client_status(Code code) {
  switch (code) {
    case Code::kHeadTooLarge:
    case Code::kTooManyFields:
      return 431;
    case Code::kTimeout:
      return 408;
    case Code::kBadVersion:
      return 505;
    case Code::kUnsupportedMethod:
      return 501;
    case Code::kNameMismatch:
      return 421;
    default:
      return 400;
  }
}

int origin_status(Code code) {
  switch (code) {
    case Code::kResolveTimeout:
    case Code::kConnectTimeout:
    case Code::kTlsTimeout:
    case Code::kTimeout:
    case Code::kIdleTimeout:
      return 504;
    default:
      return 502;
  }
}

Answer make(const Refusal& refusal, std::string body) {
  Answer answer;
  answer.head.status = refusal.status;
  answer.head.reason = std::string(http::status_text(refusal.status));
  answer.head.fields.add("Content-Type", "text/plain");
  answer.head.body = {http::Framing::kLength, body.size()};
  answer.head.is_persistent = !refusal.must_close;
  answer.body = std::move(body);
  return answer;
}

}  // namespace

Refusal refusal_for(const base::Error& error) {
  Refusal refusal;
  refusal.event = audit::Event::kError;
  refusal.reason = std::string(base::word(error.code));
  refusal.detail = error.detail;
  switch (error.fault) {
    case Fault::kClient:
      refusal.status = client_status(error.code);
      refusal.must_close = true;
      break;
    case Fault::kOrigin:
      refusal.status = origin_status(error.code);
      break;
    case Fault::kProxy:
      refusal.status = 503;
      break;
  }
  return refusal;
}

Answer answer_for(const Refusal& refusal, const Context& context) {
  const bool is_blocked = refusal.event == audit::Event::kBlocked;
  std::string body =
      "leash: " + context.authority.host.text() + ":" + std::to_string(context.authority.port);
  if (!context.is_connect) body += context.head.path;
  body += is_blocked ? " blocked (" : " failed (";
  body += refusal.reason;
  if (!is_blocked && !refusal.detail.empty()) body += ": " + refusal.detail;
  body += ")\n";
  return make(refusal, std::move(body));
}

Answer answer_for(const Refusal& refusal) {
  return make(refusal, "leash: request refused (" + refusal.reason + ")\n");
}

}  // namespace leash::proxy
