#include "net/loop.h"

#include <event2/event.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/free_with.h"
#include "base/log.h"
#include "base/text.h"
#include "net/event_handle.h"

namespace leash::net {
namespace {

using BasePtr = std::unique_ptr<event_base, base::FreeWith<event_base_free>>;
using ConfigPtr = std::unique_ptr<event_config, base::FreeWith<event_config_free>>;

// Without its loop the process can do nothing useful: out of memory or descriptors at start.
template <class T>
T* must(T* pointer, const char* what) {
  if (pointer == nullptr) {
    spdlog::critical("cannot make {}", what);
    std::abort();
  }
  return pointer;
}

BasePtr make_base() {
  const ConfigPtr config(must(event_config_new(), "an event configuration"));
  event_config_require_features(config.get(), EV_FEATURE_ET | EV_FEATURE_O1);  // leaves epoll
  // One thread a base, so no locks. The change list makes one epoll_ctl of the several changes that
  // one descriptor sees in a turn.
  event_config_set_flag(config.get(),
                        EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
  return BasePtr(must(event_base_new_with_config(config.get()), "an event loop"));
}

timeval to_timeval(std::chrono::microseconds time) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
  timeval out{};
  out.tv_sec = static_cast<time_t>(seconds.count());
  out.tv_usec = static_cast<suseconds_t>((time - seconds).count());
  return out;
}

}  // namespace

struct Loop::Impl {
  struct Task {
    std::function<void()> run;
    Deferred* owner = nullptr;  // has what to run; null: `run` is the task, or nobody's any more
  };

  BasePtr base = make_base();

  base::Fd wake;
  EventPtr wake_event;
  std::mutex mutex;
  std::vector<std::function<void()>> posted;  // under mutex
  std::atomic<bool> wants_stop{false};

  EventPtr after_event;
  bool is_after_scheduled = false;
  bool is_in_after = false;
  std::vector<Task> deferred;
  std::vector<Task> running;  // what run_deferred() is at; kept for its room
  std::vector<Body> graves;
  std::vector<Body> emptied;  // likewise
  std::unordered_map<const void*, Body> kept;

  std::unique_ptr<char[]> read_buffer;  // null while it is lent
  std::vector<std::string> buffers;     // empty strings with room

  Impl() {
    wake = base::Fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!wake.is_open()) {
      spdlog::critical("cannot make an event descriptor: {}", base::errno_text(errno));
      std::abort();
    }
    // Edge-triggered: each signal() is an edge, so the count is never read.
    wake_event.reset(
        must(event_new(base.get(), wake.get(), EV_READ | EV_PERSIST | EV_ET, &on_wake, this),
             "an event"));
    event_add(wake_event.get(), nullptr);
    after_event = new_event(base.get(), -1, 0, &on_after, this);
  }

  // While the loop can still be called: destructors may bury and defer more.
  void drop_all() {
    {
      const std::lock_guard lock(mutex);
      for (auto& task : posted) deferred.push_back({std::move(task)});
      posted.clear();
    }
    while (!deferred.empty() || !graves.empty() || !kept.empty()) {
      for (const Task& task : deferred) {
        if (task.owner != nullptr) task.owner->is_scheduled_ = false;
      }
      const auto dropped = std::exchange(deferred, {});
      const auto dead = std::exchange(graves, {});
      const auto abandoned = std::exchange(kept, {});
    }
  }

  static void on_wake(evutil_socket_t, short, void* self) noexcept {
    static_cast<Impl*>(self)->run_posted();
  }
  static void on_after(evutil_socket_t, short, void* self) noexcept {
    static_cast<Impl*>(self)->run_deferred();
  }

  void signal() const {
    const std::uint64_t one = 1;
    // The counter is full after 2^64 - 2 of these.
    [[maybe_unused]] const ssize_t n = ::write(wake.get(), &one, sizeof one);
  }

  void run_posted() {
    std::vector<std::function<void()>> tasks;
    {
      const std::lock_guard lock(mutex);
      tasks.swap(posted);
    }
    for (auto& task : tasks) {
      task();
      task = nullptr;
    }
    if (wants_stop.load()) event_base_loopbreak(base.get());
  }

  void schedule_after() {
    if (is_after_scheduled) return;
    is_after_scheduled = true;
    if (is_in_after) {  // through the timers, so that descriptors get their turn
      const timeval zero{};
      event_add(after_event.get(), &zero);
    } else {
      event_active(after_event.get(), 0, 0);
    }
  }

  void run_deferred() {
    is_after_scheduled = false;
    is_in_after = true;
    running.swap(deferred);
    // One task may destroy the owner of another, which then leaves this list.
    for (Task& task : running) {
      if (Deferred* owner = std::exchange(task.owner, nullptr)) {
        owner->is_scheduled_ = false;
        owner->run_();
      } else if (task.run) {
        std::exchange(task.run, nullptr)();
      }
    }
    running.clear();
    while (!graves.empty()) {
      emptied.swap(graves);
      emptied.clear();
    }
    is_in_after = false;
  }

  void cancel(const Deferred& owner) {
    for (std::vector<Task>* tasks : {&deferred, &running}) {
      for (Task& task : *tasks) {
        if (task.owner == &owner) task.owner = nullptr;
      }
    }
  }
};

Loop::Loop() : impl_(std::make_unique<Impl>()), base_(impl_->base.get()) {}

Loop::~Loop() { impl_->drop_all(); }

void Loop::run() {
  event_base_loop(base_, EVLOOP_NO_EXIT_ON_EMPTY);
  impl_->wants_stop.store(false);
}

void Loop::turn() { event_base_loop(base_, EVLOOP_ONCE); }

void Loop::stop() {
  impl_->wants_stop.store(true);
  impl_->signal();
}

void Loop::post(std::function<void()> task) {
  bool was_empty = false;
  {
    const std::lock_guard lock(impl_->mutex);
    was_empty = impl_->posted.empty();
    impl_->posted.push_back(std::move(task));
  }
  if (was_empty) impl_->signal();
}

void Loop::defer(std::function<void()> task) {
  impl_->deferred.push_back({std::move(task)});
  impl_->schedule_after();
}

void Loop::bury_body(Body dead) {
  impl_->graves.push_back(std::move(dead));
  impl_->schedule_after();
}

void Loop::keep_body(Body object) {
  const void* key = object.get();
  impl_->kept.emplace(key, std::move(object));
}

void Loop::release(const void* object) {
  const auto found = impl_->kept.find(object);
  if (found == impl_->kept.end()) return;
  auto dead = std::move(found->second);
  impl_->kept.erase(found);
  bury_body(std::move(dead));
}

Deferred::Deferred(Loop& loop, std::function<void()> run) : loop_(loop), run_(std::move(run)) {}

Deferred::~Deferred() {
  if (is_scheduled_) loop_.impl_->cancel(*this);
}

void Deferred::schedule() {
  if (std::exchange(is_scheduled_, true)) return;
  loop_.impl_->deferred.push_back({nullptr, this});
  loop_.impl_->schedule_after();
}

// libevent's own cache is of another clock; the vDSO's steady clock costs some 20 ns.
std::chrono::steady_clock::time_point Loop::now() const { return std::chrono::steady_clock::now(); }

// libstdc++'s steady clock is CLOCK_MONOTONIC.
std::chrono::steady_clock::time_point Loop::coarse_now() const {
  timespec time{};
  if (::clock_gettime(CLOCK_MONOTONIC_COARSE, &time) != 0) return now();
  return std::chrono::steady_clock::time_point(std::chrono::seconds(time.tv_sec) +
                                               std::chrono::nanoseconds(time.tv_nsec));
}

std::string Loop::take_buffer() {
  if (impl_->buffers.empty()) return {};
  std::string buffer = std::move(impl_->buffers.back());
  impl_->buffers.pop_back();
  return buffer;
}

void Loop::give_buffer(std::string buffer) {
  constexpr std::size_t kBuffers = 16;
  constexpr std::size_t kSmallest = 256;
  constexpr std::size_t kLargest = 128 * 1024;
  if (buffer.capacity() < kSmallest || buffer.capacity() > kLargest) return;
  if (impl_->buffers.size() == kBuffers) return;
  buffer.clear();
  impl_->buffers.push_back(std::move(buffer));
}

Loop::ReadBuffer::ReadBuffer(Loop& loop)
    : loop_(loop), buffer_(std::move(loop.impl_->read_buffer)) {
  if (!buffer_) buffer_ = std::make_unique_for_overwrite<char[]>(kReadBufferBytes);
}

Loop::ReadBuffer::~ReadBuffer() {
  if (!loop_.impl_->read_buffer) loop_.impl_->read_buffer = std::move(buffer_);
}

Timer::Timer(Loop& loop, std::function<void()> fire)
    : loop_(loop),
      fire_(std::move(fire)),
      event_(new_event(loop.base(), -1, 0, &Timer::on_fire, this).release()) {}

Timer::~Timer() { event_free(event_); }

void Timer::start(std::chrono::milliseconds delay) {
  constexpr std::chrono::milliseconds kShort{1000};
  const auto now = delay < kShort ? loop_.now() : loop_.coarse_now() + Loop::kCoarse;
  constexpr std::chrono::milliseconds kLongest = std::chrono::hours(24 * 365);
  deadline_ = now + std::clamp(delay, std::chrono::milliseconds(0), kLongest);
  is_running_ = true;
  if (is_armed_ && armed_for_ <= deadline_) return;  // fire() arms it for the rest
  arm(now);
}

void Timer::arm(std::chrono::steady_clock::time_point now) {
  const auto left = std::max(deadline_ - now, std::chrono::steady_clock::duration(0));
  const timeval delay = to_timeval(std::chrono::ceil<std::chrono::microseconds>(left));
  armed_for_ = deadline_;
  is_armed_ = true;
  event_add(event_, &delay);
}

// What is armed stays so and fires in vain: most timers are stopped to be started again.
void Timer::stop() { is_running_ = false; }

bool Timer::is_running() const { return is_running_; }

void Timer::on_fire(int, short, void* self) noexcept { static_cast<Timer*>(self)->fire(); }

void Timer::fire() {
  is_armed_ = false;
  if (!is_running_) return;
  const auto now = loop_.now();
  if (now < deadline_) {  // moved since, or libevent's coarse clock runs ahead by a tick
    arm(now);
    return;
  }
  is_running_ = false;
  fire_();
}

ReadWatch::ReadWatch(Loop& loop, int fd, std::function<void()> ready)
    : ready_(std::move(ready)),
      event_(
          new_event(loop.base(), fd, EV_READ | EV_PERSIST, &ReadWatch::on_ready, this).release()) {
  event_add(event_, nullptr);
}

ReadWatch::~ReadWatch() { event_free(event_); }

void ReadWatch::on_ready(int, short, void* self) noexcept {
  static_cast<ReadWatch*>(self)->ready_();
}

}  // namespace leash::net
