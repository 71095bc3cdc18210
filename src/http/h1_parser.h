// HTTP/1 messages out of bytes, without sockets: RFC 9112 without its tolerances.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/error.h"
#include "http/message.h"

namespace leash::http {

using RequestEvent = std::variant<RequestHead, BodyBytes, MessageEnd>;
using ResponseEvent = std::variant<ResponseHead, BodyBytes, MessageEnd>;

// Requests of one connection, one after the other. CR LF only, token names, no obs-fold, one valid
// Host (optional in HTTP/1.0 and in CONNECT; where present in absolute-form it must name the same
// authority: host_mismatch; CONNECT's may be any), Content-Length xor Transfer-Encoding, no
// duplicates, exactly "chunked" (1.1 only), no chunk extensions, no userinfo, no fragment, no bytes
// above 0x7e in the target. Trailers: token names, framing and routing fields dropped (RFC 9110
// s. 6.5.1). After an error the connection is over. Errors have fault client.
class RequestParser {
 public:
  explicit RequestParser(Limits limits);
  ~RequestParser();
  RequestParser(RequestParser&&) noexcept;
  RequestParser& operator=(RequestParser&&) noexcept;

  // Consumes from the front of `in` until one event is complete. nullopt: `in` is used up. After
  // MessageEnd the next call begins the next request (so pipelined bytes stay in `in`). One or two
  // empty lines before a request are let pass (RFC 9112 s. 2.2): CR LF only.
  [[nodiscard]] base::Result<std::optional<RequestEvent>> next(std::string_view& in);
  // Not one byte of a next request has been taken.
  [[nodiscard]] bool is_between_messages() const;
  // A head has begun and is not whole.
  [[nodiscard]] bool is_in_head() const;
  // Of a head or trailer section that is not whole.
  [[nodiscard]] std::size_t held_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Responses of one origin connection. Each must be announced. Errors have fault origin.
class ResponseParser {
 public:
  explicit ResponseParser(Limits limits);
  ~ResponseParser();
  ResponseParser(ResponseParser&&) noexcept;
  ResponseParser& operator=(ResponseParser&&) noexcept;

  // The next response answers a request with this method (HEAD has no body, RFC 9112 s. 6.3).
  void expect(std::string_view method);
  // As above. Interim responses come as heads without MessageEnd. A 101 comes as a head, then
  // MessageEnd: what follows is not HTTP and stays in `in`. Bytes where no response is expected:
  // excess_bytes.
  [[nodiscard]] base::Result<std::optional<ResponseEvent>> next(std::string_view& in);
  // The connection has ended: MessageEnd for a body until close, nullopt where nothing was under
  // way, else closed_early or body_incomplete.
  [[nodiscard]] base::Result<std::optional<ResponseEvent>> finish();
  [[nodiscard]] bool is_between_messages() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace leash::http
