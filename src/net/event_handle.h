// libevent's events with an owner.
#pragma once

#include <event2/event.h>

#include <cstdlib>
#include <memory>

#include "base/free_with.h"
#include "base/log.h"

namespace leash::net {

using EventPtr = std::unique_ptr<event, base::FreeWith<event_free>>;

// Never null: out of memory ends the process.
inline EventPtr new_event(event_base* base, int fd, short what, event_callback_fn callback,
                          void* argument) {
  EventPtr made(event_new(base, fd, what, callback, argument));
  if (!made) {
    spdlog::critical("cannot make an event");
    std::abort();
  }
  return made;
}

}  // namespace leash::net
