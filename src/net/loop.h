// One thread's event loop over libevent. Everything but post() belongs to that thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

struct event_base;
struct event;

namespace leash::net {

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs until stop(). May be called again afterwards.
  void run();
  // Waits for at least one event, handles what is ready, and returns. For tests and for shutting
  // down.
  void turn();
  // From any thread.
  void stop();
  // Runs `task` on the loop's thread, in order of posting. From any thread. Tasks posted after the
  // loop has ended are dropped with the loop.
  void post(std::function<void()> task);
  // Runs `task` after the present callback has returned, without a system call; what a deferred
  // task defers waits until the loop has looked at its descriptors again. The loop's thread only.
  // Nothing cancels a task: use a Deferred where the object that it speaks of may be gone by then.
  void defer(std::function<void()> task);
  // Destroys `dead` after the present callback has returned: nobody is destroyed inside its own
  // callback. What was deferred before runs first.
  template <class T>
  void bury(std::unique_ptr<T> dead) {
    if (dead) bury_body(body_of(std::move(dead)));
  }

  // Keeps an object that has no owner left (a stream that closes gently) until release(), which
  // buries it, or until the loop ends.
  template <class T>
  void keep(std::unique_ptr<T> object) {
    keep_body(body_of(std::move(object)));
  }
  void release(const void* object);

  // Monotonic; good for deadlines.
  [[nodiscard]] std::chrono::steady_clock::time_point now() const;
  // The same clock as of the kernel's last tick, kCoarse ago at most, for a fifth of the price: for
  // what counts in seconds.
  [[nodiscard]] std::chrono::steady_clock::time_point coarse_now() const;
  static constexpr std::chrono::milliseconds kCoarse{10};
  [[nodiscard]] event_base* base() const { return base_; }
  static constexpr std::size_t kReadBufferBytes = 64 * 1024;
  // Room for one read of kReadBufferBytes. The loop has one such buffer for all its streams; who
  // reads while somebody further up the stack still looks at it gets one of his own.
  class ReadBuffer {
   public:
    explicit ReadBuffer(Loop& loop);
    ~ReadBuffer();
    ReadBuffer(const ReadBuffer&) = delete;
    ReadBuffer& operator=(const ReadBuffer&) = delete;
    [[nodiscard]] char* data() const { return buffer_.get(); }

   private:
    Loop& loop_;
    std::unique_ptr<char[]> buffer_;
  };

  // Strings that already have room, for whoever needs one for the time of a callback or two: so no
  // connection keeps its own. An empty one may come without room.
  [[nodiscard]] std::string take_buffer();
  void give_buffer(std::string buffer);

 private:
  friend class Deferred;
  using Body = std::unique_ptr<void, void (*)(void*)>;  // any object, with how to destroy it
  template <class T>
  static Body body_of(std::unique_ptr<T> object) {
    return Body(object.release(),
                [](void* body) { std::default_delete<T>()(static_cast<T*>(body)); });
  }
  void bury_body(Body dead);
  void keep_body(Body object);
  struct Impl;
  std::unique_ptr<Impl> impl_;
  event_base* base_ = nullptr;
};

// A deferred task of an object that may be gone before it runs: then it does not.
class Deferred {
 public:
  Deferred(Loop& loop, std::function<void()> run);
  ~Deferred();
  Deferred(const Deferred&) = delete;
  Deferred& operator=(const Deferred&) = delete;

  // As Loop::defer(); does nothing while it waits already.
  void schedule();

 private:
  friend class Loop;
  Loop& loop_;
  std::function<void()> run_;
  bool is_scheduled_ = false;
};

// Fires once, `delay` after start() and never earlier; start() again moves it (to move it later
// costs no more than a look at the clock, and stop() costs nothing). Not running when made. The
// callback may start or stop it, not destroy it.
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
  void fire();
  void arm(std::chrono::steady_clock::time_point now);
  Loop& loop_;
  std::function<void()> fire_;
  std::chrono::steady_clock::time_point deadline_;
  std::chrono::steady_clock::time_point armed_for_;  // never after deadline_ while both run
  bool is_running_ = false;
  bool is_armed_ = false;
  event* event_ = nullptr;
};

// Calls `ready` whenever the descriptor is readable (level-triggered). Does not own it; the
// descriptor must outlive the watch. The callback must not destroy it.
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
