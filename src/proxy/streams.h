// The two halves of an exchange as the exchange sees them: a client codec's stream and an origin
// codec's stream. Neither knows the other, a policy, or whether it is HTTP/1 or HTTP/2.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/ip_address.h"
#include "http/message.h"

namespace leash::proxy {

// Commands to the client's side. The exchange calls these; what it hears comes back through its own
// methods.
class ClientStream {
 public:
  virtual void send_interim(const http::ResponseHead& head) = 0;
  // `head.body` says how the body will be framed.
  virtual void send_head(const http::ResponseHead& head) = 0;
  virtual void send_body(std::string_view bytes) = 0;
  virtual void send_end(const http::Fields& trailers) = 0;
  // The response cannot be finished: the client must see that it is not whole.
  virtual void abort(const base::Error& error) = 0;
  // After a 101: what comes and goes is no longer HTTP.
  virtual void send_raw(std::string_view bytes) = 0;
  virtual void finish_raw() = 0;
  // Request body (or raw bytes) wanted or not. Paused at the beginning.
  virtual void resume_body() = 0;
  virtual void pause_body() = 0;
  // Bytes that the client has not taken yet.
  [[nodiscard]] virtual std::size_t queued_bytes() const = 0;
  // The same, and what the client has sent that nobody has wanted yet.
  [[nodiscard]] virtual std::size_t held_bytes() const { return queued_bytes(); }

 protected:
  ~ClientStream() = default;
};

// What a client codec tells the exchange.
class ClientEvents {
 public:
  virtual void on_request_body(std::string_view bytes) = 0;
  virtual void on_request_end(http::Fields trailers) = 0;
  // The request is malformed in its body, or the client has gone.
  virtual void on_client_error(base::Error error) = 0;
  virtual void on_client_drained() = 0;
  virtual void on_client_raw(std::string_view bytes) = 0;
  virtual void on_client_raw_end() = 0;

 protected:
  ~ClientEvents() = default;
};

// What an origin codec tells the exchange.
class OriginEvents {
 public:
  virtual void on_response_head(http::ResponseHead head) = 0;  // interim ones too
  virtual void on_response_body(std::string_view bytes) = 0;
  virtual void on_response_end(http::Fields trailers) = 0;
  // The stream is over. `is_untouched`: no byte of a response came, so an idempotent request may be
  // sent again.
  virtual void on_origin_error(base::Error error, bool is_untouched) = 0;
  virtual void on_origin_drained() = 0;
  virtual void on_origin_raw(std::string_view bytes) = 0;
  virtual void on_origin_raw_end() = 0;

 protected:
  ~OriginEvents() = default;
};

// Where an origin stream goes.
struct OriginFacts {
  base::SocketAddress address;
  std::string alpn;                                       // "" without TLS
  std::shared_ptr<const std::string> certificate_sha256;  // null without TLS
  bool was_reused = false;
};

// Commands to the origin's side.
class OriginStream {
 public:
  virtual ~OriginStream() = default;
  // The exchange is through with it: no events any more. Before the response's end this cancels the
  // request.
  virtual void release() = 0;
  virtual void send_head(const http::RequestHead& head) = 0;
  virtual void send_body(std::string_view bytes) = 0;
  virtual void send_end(const http::Fields& trailers) = 0;
  virtual void send_raw(std::string_view bytes) = 0;
  virtual void finish_raw() = 0;
  virtual void pause_body() = 0;
  virtual void resume_body() = 0;
  [[nodiscard]] virtual std::size_t queued_bytes() const = 0;
  [[nodiscard]] virtual const OriginFacts& facts() const = 0;
};

}  // namespace leash::proxy
