// One codec on an origin connection, as the connection sees it.
#pragma once

#include <memory>
#include <string_view>

#include "base/error.h"
#include "proxy/streams.h"
#include "proxy/transport.h"

namespace leash::proxy {

class OriginLeg {
 public:
  class Owner {
   public:
    // A stream has ended, or the connection's fitness has changed: look at can_open(), is_unused(),
    // is_broken().
    virtual void on_leg_changed() = 0;

   protected:
    ~Owner() = default;
  };

  virtual ~OriginLeg() = default;
  // Only while can_open(). The leg may be destroyed before the stream, which is then deaf.
  [[nodiscard]] virtual std::unique_ptr<OriginStream> open(OriginEvents& events,
                                                           const OriginFacts& facts) = 0;
  // May another exchange begin here now?
  [[nodiscard]] virtual bool can_open() const = 0;
  [[nodiscard]] virtual bool is_unused() const = 0;  // carries none
  [[nodiscard]] virtual bool is_broken() const = 0;  // will carry none any more
  // Exchanges share it: it may be offered to others while it carries one.
  [[nodiscard]] virtual bool is_shared() const = 0;

  virtual void on_bytes(std::string_view bytes) = 0;
  virtual void on_eof(End end) = 0;
  virtual void on_error(base::Error error) = 0;
  virtual void on_drained() = 0;
};

}  // namespace leash::proxy
