// One thread's event loop over libevent. Everything but post() belongs to that thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

struct event_base;
struct event;

namespace leash::net {

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs until stop().
  void run();
  // From any thread.
  void stop();
  // Runs `task` on the loop's thread, in order of posting. From any thread. Tasks posted after the loop
  // has ended are dropped with the loop.
  void post(std::function<void()> task);
  // Runs `task` after the present callback has returned. The loop's thread only.
  void defer(std::function<void()> task);
  // Destroys `dead` after the present callback has returned: nobody is destroyed inside its own callback.
  template <class T>
  void bury(std::unique_ptr<T> dead) {
    if (dead) bury_shared(std::shared_ptr<void>(std::move(dead)));
  }

  // Cached once a loop turn; good for deadlines.
  [[nodiscard]] std::chrono::steady_clock::time_point now() const;
  [[nodiscard]] event_base* base() const { return base_; }
  // One buffer of kReadBufferBytes that every Stream of this loop reads into.
  [[nodiscard]] char* read_buffer();
  static constexpr std::size_t kReadBufferBytes = 64 * 1024;

 private:
  void bury_shared(std::shared_ptr<void> dead);
  struct Impl;
  std::unique_ptr<Impl> impl_;
  event_base* base_ = nullptr;
};

// Fires once, `delay` after start(); start() again moves it. Not running when made.
class Timer {
 public:
  Timer(Loop& loop, std::function<void()> fire);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void start(std::chrono::milliseconds delay);
  void stop();
  [[nodiscard]] bool is_running() const;

 private:
  static void on_fire(int, short, void* self) noexcept;
  std::function<void()> fire_;
  event* event_ = nullptr;
};

// Calls `ready` whenever the descriptor is readable. Does not own it.
class ReadWatch {
 public:
  ReadWatch(Loop& loop, int fd, std::function<void()> ready);
  ~ReadWatch();
  ReadWatch(const ReadWatch&) = delete;
  ReadWatch& operator=(const ReadWatch&) = delete;

 private:
  static void on_ready(int, short, void* self) noexcept;
  std::function<void()> ready_;
  event* event_ = nullptr;
};

}  // namespace leash::net
