#include "proxy/gates/policy.h"

#include "proxy/error_page.h"

namespace leash::proxy {
namespace {

constexpr std::chrono::milliseconds kLongestWait{200};
// For a large file that is being read: 64 MiB of hosts take a second.
constexpr std::chrono::milliseconds kLongestLoad{10'000};

void answer(Context& context, const Gate::Done& done) {
  if (context.decision.is_allowed) {
    done(std::nullopt);
  } else {
    done(Refusal{.reason = std::string(context.decision.reason)});
  }
}

class Settling final : public net::Pending {
 public:
  Settling(net::Loop& loop, config::PolicyFiles& files, Context& context, Gate::Done done)
      : files_(files),
        context_(context),
        done_(std::move(done)),
        begin_(loop.now()),
        timer_(loop, [this] { look(); }) {}

  void wait(std::chrono::milliseconds delay) {
    timer_.start(std::max(delay, std::chrono::milliseconds(1)));
  }

 private:
  void look() {
    const auto current = files_.for_decision();
    const bool has_two_readings = current.unsettled != nullptr;
    const auto limit = has_two_readings ? kLongestWait : kLongestLoad;
    if (!current.is_settled() && std::chrono::steady_clock::now() - begin_ < limit) {
      wait(current.retry_after);
      return;
    }
    if (current.is_loading && !has_two_readings) {
      const Gate::Done done = std::move(done_);
      done(refusal_for(base::Error{base::Code::kBadPolicy, base::Fault::kProxy,
                                   "a large policy file is still being read"}));
      return;
    }
    context_.snapshot = current.snapshot;
    context_.decision = decide_now(*current.snapshot, context_);
    if (has_two_readings) {
      const auto other = decide_now(*current.unsettled, context_);
      if (!other.is_allowed && context_.decision.is_allowed) {
        context_.snapshot = current.unsettled;
        context_.decision = other;
      }
    }
    const Gate::Done done = std::move(done_);
    answer(context_, done);
  }

  config::PolicyFiles& files_;
  Context& context_;
  Gate::Done done_;
  std::chrono::steady_clock::time_point begin_;
  net::Timer timer_;
};

}  // namespace

policy::Decision decide_now(const policy::Snapshot& snapshot, const Context& context) {
  policy::Facts facts{
      .host = context.authority.host, .port = context.authority.port, .method = {}, .path = {}};
  if (!context.is_connect) {
    facts.method = context.head.method;
    facts.path = context.head.path;
  }
  return policy::decide(snapshot, facts, std::chrono::system_clock::now());
}

config::PolicyFiles::Current PolicyGate::look() {
  if (seen_) return *seen_;
  auto current = files_.for_decision();
  if (is_shared_ && current.is_settled()) seen_ = current;
  return current;
}

std::unique_ptr<net::Pending> PolicyGate::check(Context& context, Done done) {
  const auto current = look();
  if (!current.is_settled()) {
    auto settling = std::make_unique<Settling>(loop_, files_, context, std::move(done));
    settling->wait(current.retry_after);
    return settling;
  }
  context.snapshot = current.snapshot;
  context.decision = decide_now(*current.snapshot, context);
  answer(context, done);
  return nullptr;
}

}  // namespace leash::proxy
