// A Unix signal as a callback on the loop.
#pragma once

#include <functional>

#include "net/loop.h"

namespace leash::net {

// Calls `raised` on the loop's thread after the signal has come, whichever thread the kernel gave
// it to. Signals belong to one loop of the process: a second loop that watches any would take them
// all.
class SignalWatch {
 public:
  SignalWatch(Loop& loop, int signal, std::function<void()> raised);
  ~SignalWatch();  // the signal has its former effect again
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  static void on_signal(int, short, void* self) noexcept;
  std::function<void()> raised_;
  event* event_ = nullptr;
};

}  // namespace leash::net
