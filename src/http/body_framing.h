// How long a body is (RFC 9112 s. 6.3), without the guesses that requests are smuggled with.
#pragma once

#include <string_view>

#include "base/error.h"
#include "http/message.h"

namespace leash::http {

// Errors of both: length_and_encoding (both fields), duplicate_content_length (two lines or a list,
// equal or not), bad_content_length (not digits, or above 2^63 - 1), bad_transfer_encoding
// (anything but one "chunked", or in HTTP/1.0).

// A body on CONNECT is refused; "Content-Length: 0" there is none. Fault: client.
[[nodiscard]] base::Result<Body> request_framing(std::string_view method, Version version,
                                                 const Fields& fields);

// What of a request matters to the framing of its response.
enum class Answers { kHead, kConnect, kOther };
[[nodiscard]] Answers answers_to(std::string_view method);

// kNone where the rules leave no room for a body: to HEAD, 1xx, 204, 304, 2xx to CONNECT. In 1xx
// and 204 a Content-Length above zero and any Transfer-Encoding are errors (RFC 9110 s. 8.6 forbids
// zero as well, but large sites send it). Fault: origin.
[[nodiscard]] base::Result<Body> response_framing(Answers answers, int status, Version version,
                                                  const Fields& fields);

}  // namespace leash::http
