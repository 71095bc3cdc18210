#include "proxy/gates/intent.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <utility>
#include <vector>

#include "proxy/records.h"

namespace leash::proxy {

// Lives on the loop's thread.
class IntentGate::Acknowledgement final : public net::Pending {
 public:
  Acknowledgement(std::shared_ptr<Answers> answers, Gate::Done done);
  ~Acknowledgement() override;
  Acknowledgement(const Acknowledgement&) = delete;
  Acknowledgement& operator=(const Acknowledgement&) = delete;

  [[nodiscard]] std::uint64_t number() const { return number_; }
  // May destroy this.
  void answer(bool is_written);

 private:
  std::shared_ptr<Answers> answers_;
  Gate::Done done_;
  std::uint64_t number_;
};

// The writer's answers to the intents of one worker: put in on the writer's thread, and told on the
// loop's, all those of a batch by one task.
class IntentGate::Answers : public std::enable_shared_from_this<Answers> {
 public:
  Answers(net::Loop& loop, Metrics& metrics) : loop_(loop), metrics_(metrics) {}

  // The loop's thread. Returns the number under which the answer comes.
  [[nodiscard]] std::uint64_t expect(Acknowledgement& who) {
    expected_.push_back({&who, Clock::now()});
    return first_ + expected_.size() - 1;
  }
  void forget(std::uint64_t number) {
    if (number >= first_) expected_[number - first_].who = nullptr;
  }

  // The writer's thread; with LEASH_AUDIT=async, the loop's.
  void put(std::uint64_t number, bool is_written) {
    bool was_empty = false;
    {
      const std::lock_guard lock(mutex_);
      was_empty = answers_.empty();
      answers_.push_back({number, is_written});
    }
    if (was_empty) loop_.post([self = shared_from_this()] { self->tell(); });
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct Expected {
    Acknowledgement* who;  // null: nobody waits any more
    Clock::time_point asked;
    bool is_answered = false;
  };
  struct Answer {
    std::uint64_t number;
    bool is_written;
  };

  void tell() {
    {
      const std::lock_guard lock(mutex_);
      told_.swap(answers_);
    }
    const auto now = Clock::now();
    for (const Answer& answer : told_) {
      Expected& expected = expected_[answer.number - first_];
      metrics_.intent_time.add(now - expected.asked);
      expected.is_answered = true;
      Acknowledgement* const who = std::exchange(expected.who, nullptr);
      while (!expected_.empty() && expected_.front().is_answered) {
        expected_.pop_front();
        ++first_;
      }
      if (who != nullptr) who->answer(answer.is_written);
    }
    told_.clear();
  }

  net::Loop& loop_;
  Metrics& metrics_;
  std::deque<Expected> expected_;  // the first one has the number first_
  std::uint64_t first_ = 0;
  std::vector<Answer> told_;  // what tell() is at; kept for its room
  std::mutex mutex_;
  std::vector<Answer> answers_;  // guarded by mutex_
};

IntentGate::Acknowledgement::Acknowledgement(std::shared_ptr<Answers> answers, Gate::Done done)
    : answers_(std::move(answers)), done_(std::move(done)), number_(answers_->expect(*this)) {}

IntentGate::Acknowledgement::~Acknowledgement() { answers_->forget(number_); }

void IntentGate::Acknowledgement::answer(bool is_written) {
  const Gate::Done done = std::move(done_);
  if (is_written) {
    done(std::nullopt);
  } else {
    done(Refusal{.event = audit::Event::kError, .status = 503, .reason = "audit_unavailable"});
  }
}

IntentGate::IntentGate(net::Loop& loop, audit::LogWriter& log, const audit::Redactor& redactor,
                       Metrics& metrics)
    : log_(log),
      redactor_(redactor),
      answers_(std::make_shared<Answers>(loop, metrics)),
      wake_(loop, [&log] { log.wake(); }) {}

std::unique_ptr<net::Pending> IntentGate::check(Context& context, Done done) {
  auto pending = std::make_unique<Acknowledgement>(answers_, std::move(done));
  log_.append(
      intent_record(context, redactor_),
      [answers = answers_.get(), number = pending->number()](const base::Result<void>& written) {
        answers->put(number, written.has_value());
      },
      audit::LogWriter::Wake::kByCaller);
  wake_.schedule();
  return pending;
}

}  // namespace leash::proxy
