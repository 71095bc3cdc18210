#include "http/h1_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/text.h"
#include "http/forwarding.h"
#include "http/syntax.h"
#include "http/trailers.h"

namespace leash::http {
namespace {

using base::equals_ignoring_case;

// Room that most heads need, taken at once.
constexpr std::size_t kUsualHeadBytes = 512;

// Whatever wrote it, no text may end the line that it stands in. Our parsers refuse such bytes, so
// this costs a look and no more; it holds if a head ever comes from elsewhere.
void append_text(std::string& out, std::string_view text) {
  if (consists_of(kValueBytes, text)) {
    out.append(text);
    return;
  }
  std::copy_if(text.begin(), text.end(), std::back_inserter(out),
               [](char c) { return is_in(kValueBytes, c); });
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  append_text(out, name);
  out.append(": ");
  append_text(out, value);
  out.append("\r\n");
}

// Fields whose truth is in the head itself.
bool is_written_here(std::string_view name) {
  switch (name.size()) {
    case 4:
      return equals_ignoring_case(name, "host");
    case 7:
      return equals_ignoring_case(name, "upgrade");
    case 10:
      return equals_ignoring_case(name, "connection");
    case 14:
      return equals_ignoring_case(name, "content-length");
    case 17:
      return equals_ignoring_case(name, "transfer-encoding");
    default:
      return false;
  }
}

void append_framing(std::string& out, const Body& body) {
  switch (body.framing) {
    case Framing::kLength:
      out.append("Content-Length: ");
      base::append_decimal(out, body.length);
      out.append("\r\n");
      break;
    case Framing::kChunked:
      out.append("Transfer-Encoding: chunked\r\n");
      break;
    case Framing::kNone:
    case Framing::kUntilClose:
      break;
  }
}

void append_connection(std::string& out, bool is_persistent, bool has_te,
                       std::string_view upgrade) {
  if (!upgrade.empty()) {
    out.append("Connection: Upgrade\r\n");
    append_field(out, "Upgrade", upgrade);
    return;
  }
  if (is_persistent && !has_te) return;
  out.append("Connection: ");
  if (has_te) out.append(is_persistent ? "TE" : "TE, ");  // RFC 9110 s. 10.1.4
  if (!is_persistent) out.append("close");
  out.append("\r\n");
}

// RFC 9110 s. 8.6: a method that usually has content says so when it has none, or some origins
// answer 411.
bool states_empty_body(const RequestHead& head) {
  return head.body.framing == Framing::kNone &&
         (head.method == "POST" || head.method == "PUT" || head.method == "PATCH");
}

// A response without a body may still tell how long the body would have been (RFC 9110 s. 8.6).
bool keeps_content_length(const ResponseHead& head, const Body& body) {
  return body.framing == Framing::kNone && head.status >= 200 && head.status != 204;
}

}  // namespace

void append_request(std::string& out, const RequestHead& head, std::string_view upgrade) {
  out.reserve(out.size() + kUsualHeadBytes);
  append_text(out, head.method);
  out.push_back(' ');
  append_text(out,
              head.form == TargetForm::kAuthority && head.target ? head.target->text() : head.path);
  out.append(" HTTP/1.1\r\n");
  if (const std::string* host = head.fields.find("host")) {
    append_field(out, "Host", *host);
  } else if (head.host) {
    append_field(out, "Host", head.host->text_without(0));
  } else if (head.target) {
    append_field(out, "Host", head.target->text());
  }
  for (const Field& field : head.fields.all()) {
    if (!is_written_here(field.name)) append_field(out, field.name, field.value);
  }
  append_framing(out, states_empty_body(head) ? Body{Framing::kLength, 0} : head.body);
  append_connection(out, head.is_persistent, head.fields.has("te"), upgrade);
  out.append("\r\n");
}

void append_response(std::string& out, const ResponseHead& head, std::string_view upgrade) {
  append_response(out, head, ResponseFraming{head.body, head.is_persistent}, upgrade);
}

void append_response(std::string& out, const ResponseHead& head, const ResponseFraming& framing,
                     std::string_view upgrade) {
  out.reserve(out.size() + kUsualHeadBytes);
  out.append("HTTP/1.1 ");
  base::append_decimal(out, static_cast<unsigned>(head.status));
  out.push_back(' ');
  append_text(out, head.reason.empty() ? status_text(head.status) : head.reason);
  out.append("\r\n");
  for (const Field& field : head.fields.all()) {
    if (!is_written_here(field.name)) append_field(out, field.name, field.value);
  }
  if (keeps_content_length(head, framing.body)) {
    const std::string* length = head.fields.find("content-length");
    if (length != nullptr && base::parse_decimal(*length)) {
      append_field(out, "Content-Length", *length);
    }
  }
  if (!head.is_interim()) {
    append_framing(out, framing.body);
    const bool is_persistent =
        framing.is_persistent && framing.body.framing != Framing::kUntilClose;
    append_connection(out, is_persistent, false, upgrade);
  }
  out.append("\r\n");
}

void append_chunk(std::string& out, std::string_view bytes) {
  if (bytes.empty()) return;
  fmt::format_to(std::back_inserter(out), "{:x}\r\n", bytes.size());
  out.append(bytes);
  out.append("\r\n");
}

void append_last_chunk(std::string& out, const Fields& trailers) {
  out.append("0\r\n");
  for (const Field& field : trailers.all()) {
    if (is_allowed_in_trailer(field.name)) append_field(out, field.name, field.value);
  }
  out.append("\r\n");
}

}  // namespace leash::http
