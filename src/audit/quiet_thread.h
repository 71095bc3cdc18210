// A thread that takes no signals.
#pragma once

#include <pthread.h>

#include <csignal>
#include <thread>
#include <utility>

namespace leash::audit {

// Signals are for the main thread; besides, SIGXFSZ and SIGPIPE must be errors here, not the end.
// `name`: 15 characters at most.
template <class Body>
[[nodiscard]] std::thread quiet_thread(const char* name, Body body) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread made(std::move(body));
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::pthread_setname_np(made.native_handle(), name);
  return made;
}

}  // namespace leash::audit
