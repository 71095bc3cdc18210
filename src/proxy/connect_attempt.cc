#include "proxy/connect_attempt.h"

#include <utility>

#include "proxy/error_page.h"
#include "proxy/records.h"

namespace leash::proxy {

ConnectAttempt::ConnectAttempt(Services& services, Owner& owner, Context context)
    : services_(services), owner_(owner), context_(std::move(context)) {}

ConnectAttempt::~ConnectAttempt() {
  if (is_over_) return;
  const Refusal left{.event = audit::Event::kError,
                     .status = 0,
                     .reason = "closed_early",
                     .detail = "the client left before its tunnel was open"};
  services_.shared.log.append(refusal_record(left, context_, services_.shared.redactor));
}

void ConnectAttempt::start() { pass(services_.policy, &ConnectAttempt::find_origin); }

void ConnectAttempt::pass(Gate& gate, Step next) {
  auto held = gate.check(context_, [this, next](std::optional<Refusal> refusal) {
    services_.loop.bury(std::move(pending_));
    if (!refusal) {
      (this->*next)();
    } else if (next == &ConnectAttempt::judge_addresses) {
      refuse_changed(std::move(*refusal));
    } else {
      refuse(*refusal);
    }
  });
  if (held) pending_ = std::move(held);
}

void ConnectAttempt::find_origin() {
  const OriginPool::Key key{context_.agent, "https", context_.authority,
                            OriginConnection::Protocol::kAny};
  const bool is_at_hand =
      context_.decision.tls == policy::TlsMode::kIntercept &&
      services_.pool.has_ready(key, [this](const base::SocketAddress& address) {
        return services_.shared.guard.refusal(address, context_.decision).empty();
      });
  if (is_at_hand) {
    record_intent();
  } else {
    // A name server may take seconds, and who tells of a change may come after its answer.
    is_stale_ = true;
    pass(services_.addresses, &ConnectAttempt::record_intent);
  }
}

void ConnectAttempt::record_intent() { pass(services_.intent, &ConnectAttempt::reach_origin); }

// The policy may have changed since it was asked. Its file may be being written, so this waits.
void ConnectAttempt::judge_anew(Step next) {
  if (!std::exchange(is_stale_, false)) {
    (this->*next)();
    return;
  }
  next_ = next;
  pass(services_.policy, &ConnectAttempt::judge_addresses);
}

void ConnectAttempt::judge_addresses() {
  const auto* refused = services_.shared.guard.first_refused(context_.addresses, context_.decision);
  if (refused == nullptr) {
    judge_anew(next_);
    return;
  }
  refuse_changed(Refusal{.reason = "address_not_allowed", .address = refused->text()});
}

// What was allowed when its intent went on record.
void ConnectAttempt::refuse_changed(Refusal refusal) {
  count(services_.shared.metrics.policy_cuts);
  if (refusal.detail.empty()) refusal.detail = "policy_change";
  refuse(refusal);
}

void ConnectAttempt::reach_origin() { judge_anew(&ConnectAttempt::dial); }

void ConnectAttempt::dial() {
  // A spliced tunnel is dialled when its ClientHello has been read and found right.
  if (context_.addresses.empty() || context_.decision.tls == policy::TlsMode::kSplice) {
    allow();
    return;
  }
  const OriginPool::Key key{context_.agent, "https", context_.authority,
                            OriginConnection::Protocol::kAny};
  pending_ = services_.pool.warm(key, context_.addresses,
                                 [this](const base::Result<base::SocketAddress>& connected) {
                                   services_.loop.bury(std::move(pending_));
                                   if (connected) {
                                     is_stale_ = true;  // that may have taken seconds as well
                                     judge_anew(&ConnectAttempt::allow);
                                   } else {
                                     refuse(refusal_for(connected.error()));
                                   }
                                 });
}

void ConnectAttempt::allow() {
  is_over_ = true;
  owner_.on_connect_allowed(context_);
}

void ConnectAttempt::refuse(const Refusal& refusal) {
  is_over_ = true;
  count_refusal(services_.shared.metrics, refusal);
  services_.shared.log.append(refusal_record(refusal, context_, services_.shared.redactor));
  owner_.on_connect_refused(refusal, context_);
}

}  // namespace leash::proxy
