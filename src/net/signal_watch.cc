#include "net/signal_watch.h"

#include <utility>

#include "net/event_handle.h"

namespace leash::net {

SignalWatch::SignalWatch(Loop& loop, int signal, std::function<void()> raised)
    : raised_(std::move(raised)),
      event_(new_event(loop.base(), signal, EV_SIGNAL | EV_PERSIST, &SignalWatch::on_signal, this)
                 .release()) {
  event_add(event_, nullptr);
}

SignalWatch::~SignalWatch() { event_free(event_); }

void SignalWatch::on_signal(int, short, void* self) noexcept {
  static_cast<SignalWatch*>(self)->raised_();
}

}  // namespace leash::net
