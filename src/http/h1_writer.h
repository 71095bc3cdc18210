// HTTP/1 messages into bytes. Nothing that a stranger wrote goes out unparsed: heads are written
// anew from values.
#pragma once

#include <string>
#include <string_view>

#include "http/message.h"

namespace leash::http {

// Appends the head. Framing fields (Content-Length, Transfer-Encoding, Connection) are written from
// `head.body`, `head.is_persistent` and `upgrade`; the ones in `fields` are left out. Origin-form,
// except for asterisk. Kept spelling and order of the other fields; Host first.
void append_request(std::string& out, const RequestHead& head, std::string_view upgrade = {});
void append_response(std::string& out, const ResponseHead& head, std::string_view upgrade = {});
// The same with another body and end than `head` says: what this connection makes of them.
struct ResponseFraming {
  Body body;
  bool is_persistent = true;
};
void append_response(std::string& out, const ResponseHead& head, const ResponseFraming& framing,
                     std::string_view upgrade);
// One chunk; nothing for empty bytes (that would be the end).
void append_chunk(std::string& out, std::string_view bytes);
void append_last_chunk(std::string& out, const Fields& trailers);

}  // namespace leash::http
