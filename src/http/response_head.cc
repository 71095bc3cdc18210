#include "http/response_head.h"

#include <utility>

#include "base/text.h"
#include "http/field_lines.h"
#include "http/syntax.h"

namespace leash::http {
namespace {

using base::Code;

constexpr std::size_t kVersionBytes = 8;  // "HTTP/1.1"

tl::unexpected<base::Error> refuse_answer(Code code, std::string detail = {}) {
  return base::fail(code, base::Fault::kOrigin, std::move(detail));
}

base::Result<ResponseHead> parse_status_line(std::string_view line) {
  if (line.find('\r') != std::string_view::npos) return refuse_answer(Code::kBadLineEnd);
  if (!line.starts_with("HTTP/")) return refuse_answer(Code::kBadStatusLine, "not HTTP");
  const auto space = line.find(' ');
  if (space == std::string_view::npos) return refuse_answer(Code::kBadStatusLine, "no status");
  ResponseHead head;
  const std::string_view version = line.substr(0, space);
  if (version == "HTTP/1.0") {
    head.version = Version::kHttp10;
  } else if (version != "HTTP/1.1") {
    return refuse_answer(Code::kBadVersion);
  }
  line.remove_prefix(kVersionBytes + 1);
  const auto status = base::parse_decimal(line.substr(0, 3), 999);
  if (!status || *status < 100 || line.size() < 3)
    return refuse_answer(Code::kBadStatusLine, "status");
  line.remove_prefix(3);
  if (!line.empty() && line.front() != ' ') return refuse_answer(Code::kBadStatusLine, "status");
  if (!line.empty()) line.remove_prefix(1);
  if (!consists_of(kValueBytes, line)) return refuse_answer(Code::kBadStatusLine, "reason");
  head.status = static_cast<int>(*status);
  head.reason = std::string(trim_blanks(line));
  return head;
}

// RFC 9112 s. 9.3.
bool is_persistent(const ResponseHead& head) {
  if (head.body.framing == Framing::kUntilClose) return false;
  if (head.fields.has_token("connection", "close")) return false;
  return head.version == Version::kHttp11 || head.fields.has_token("connection", "keep-alive");
}

}  // namespace

base::Result<ResponseHead> parse_response_head(std::string_view text, Answers answers,
                                               const Limits& limits) {
  auto head = parse_status_line(take_line(text));
  if (!head) return head;
  auto fields = parse_field_lines(text, limits.fields, base::Fault::kOrigin);
  if (!fields) return tl::unexpected(std::move(fields.error()));
  head->fields = std::move(*fields);
  auto body = response_framing(answers, head->status, head->version, head->fields);
  if (!body) return tl::unexpected(std::move(body.error()));
  head->body = *body;
  head->is_persistent = is_persistent(*head);
  return head;
}

}  // namespace leash::http
