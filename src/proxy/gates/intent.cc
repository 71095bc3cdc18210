#include "proxy/gates/intent.h"

#include "proxy/records.h"

namespace leash::proxy {
namespace {

// Lives on the loop's thread. The acknowledgement comes from the writer's thread by Loop::post,
// maybe after the exchange has gone.
class Acknowledgement final : public net::Pending {
 public:
  explicit Acknowledgement(Gate::Done done)
      : state_(std::make_shared<State>(State{std::move(done)})) {}
  ~Acknowledgement() override { state_->done = nullptr; }
  Acknowledgement(const Acknowledgement&) = delete;
  Acknowledgement& operator=(const Acknowledgement&) = delete;

  [[nodiscard]] audit::LogWriter::Done receiver(net::Loop& loop) const {
    return [&loop, state = state_](const base::Result<void>& written) {
      loop.post([state, is_written = written.has_value()] {
        if (!state->done) return;
        const Gate::Done done = std::move(state->done);
        state->done = nullptr;
        if (is_written) {
          done(std::nullopt);
        } else {
          done(
              Refusal{.event = audit::Event::kError, .status = 503, .reason = "audit_unavailable"});
        }
      });
    };
  }

 private:
  struct State {
    Gate::Done done;
  };
  std::shared_ptr<State> state_;
};

}  // namespace

std::unique_ptr<net::Pending> IntentGate::check(Context& context, Done done) {
  auto pending = std::make_unique<Acknowledgement>(std::move(done));
  log_.append(intent_record(context, redactor_), pending->receiver(loop_));
  return pending;
}

}  // namespace leash::proxy
