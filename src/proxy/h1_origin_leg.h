// The HTTP/1 codec on an origin connection: one exchange at a time.
#pragma once

#include <memory>

#include "http/h1_parser.h"
#include "proxy/streams.h"
#include "proxy/transport.h"

namespace leash::proxy {

class H1OriginLeg {
 public:
  class Owner {
   public:
    // The exchange is over. kReusable: the connection may carry another one.
    enum class State { kReusable, kBroken };
    virtual void on_leg_free(State state) = 0;

   protected:
    ~Owner() = default;
  };

  H1OriginLeg(Transport& transport, const http::Limits& limits, Owner& owner);
  ~H1OriginLeg();

  // Only while no other stream is open. The stream must not outlive the leg, unless it has been released.
  [[nodiscard]] std::unique_ptr<OriginStream> open(OriginEvents& events, const OriginFacts& facts);
  [[nodiscard]] bool is_busy() const { return stream_ != nullptr; }

  void on_bytes(std::string_view bytes);
  void on_eof(End end);
  void on_error(base::Error error);
  void on_drained();

 private:
  class Stream;
  void deliver(http::ResponseEvent event);
  void break_off(base::Error error);
  void free_stream();

  Transport& transport_;
  http::ResponseParser parser_;
  Owner& owner_;
  Stream* stream_ = nullptr;
  bool is_persistent_ = true;
  bool request_sent_ = false;   // whole
  bool response_ended_ = false;
  bool got_bytes_ = false;
  bool is_raw_ = false;
  bool is_chunked_ = false;     // the request
  bool is_broken_ = false;
};

}  // namespace leash::proxy
