#include "http/request_head.h"

#include <utility>

#include "http/body_framing.h"
#include "http/field_lines.h"
#include "http/request_target.h"
#include "http/syntax.h"

namespace leash::http {
namespace {

using base::Code;

constexpr std::size_t kMaxMethod = 32;

tl::unexpected<base::Error> refuse(Code code, std::string detail = {}) {
  return base::fail(code, base::Fault::kClient, std::move(detail));
}

struct RequestLine {
  std::string_view method;
  std::string_view target;
  Version version = Version::kHttp11;
};

// Exactly two single spaces (RFC 9112 s. 3); its tolerance for other white space is not ours.
base::Result<RequestLine> parse_request_line(std::string_view line) {
  if (line.find('\r') != std::string_view::npos) return refuse(Code::kBadLineEnd);
  const auto first = line.find(' ');
  if (first == std::string_view::npos) return refuse(Code::kBadRequestLine, "no target");
  const auto second = line.find(' ', first + 1);
  if (second == std::string_view::npos) return refuse(Code::kBadRequestLine, "no version");
  RequestLine out{line.substr(0, first), line.substr(first + 1, second - first - 1)};
  const std::string_view version = line.substr(second + 1);
  if (!is_token(out.method)) return refuse(Code::kBadRequestLine, "method");
  if (out.method.size() > kMaxMethod) return refuse(Code::kUnsupportedMethod, "too long");
  if (out.target.empty() || version.empty() || version.find(' ') != std::string_view::npos) {
    return refuse(Code::kBadRequestLine, "spaces");
  }
  if (version == "HTTP/1.0") {
    out.version = Version::kHttp10;
  } else if (version != "HTTP/1.1") {
    return refuse(Code::kBadVersion);
  }
  return out;
}

base::Result<std::optional<base::Authority>> parse_host(const RequestHead& head) {
  const std::size_t count = head.fields.count("host");
  if (count > 1) return refuse(Code::kHostDuplicate);
  if (count == 0) {
    if (head.version == Version::kHttp11 && head.form != TargetForm::kAuthority) {
      return refuse(Code::kHostMissing);
    }
    return std::nullopt;
  }
  auto host = base::parse_authority(*head.fields.find("host"), 0);
  if (!host) return tl::unexpected(std::move(host.error()));
  return std::move(*host);
}

// RFC 9112 s. 3.2.2 lets the target win silently; a client that names two hosts is lying to one of
// us.
bool is_same(const base::Authority& host, const RequestHead& head) {
  if (host.host != head.target->host) return false;
  if (host.port != 0) return host.port == head.target->port;
  // In CONNECT many clients leave the port out of Host, whatever it is.
  return head.form == TargetForm::kAuthority || head.target->port == default_port(head.scheme);
}

// RFC 9112 s. 9.3: a proxy keeps no connection open for an HTTP/1.0 client.
bool is_persistent(const RequestHead& head) {
  return head.version == Version::kHttp11 && !head.fields.has_token("connection", "close") &&
         !head.fields.has_token("proxy-connection", "close");
}

}  // namespace

base::Result<RequestHead> parse_request_head(std::string_view text, const Limits& limits) {
  auto line = parse_request_line(take_line(text));
  if (!line) return tl::unexpected(std::move(line.error()));
  auto target = parse_request_target(line->method, line->target);
  if (!target) return tl::unexpected(std::move(target.error()));
  auto fields = parse_field_lines(text, limits.fields, base::Fault::kClient);
  if (!fields) return tl::unexpected(std::move(fields.error()));

  RequestHead head;
  head.method = std::string(line->method);
  head.form = target->form;
  head.scheme = std::move(target->scheme);
  head.target = std::move(target->authority);
  head.path = std::move(target->path);
  head.version = line->version;
  head.fields = std::move(*fields);
  auto host = parse_host(head);
  if (!host) return tl::unexpected(std::move(host.error()));
  head.host = std::move(*host);
  // CONNECT's Host is read by nobody, and clients fill it with what they like: Node with the
  // proxy's own name.
  const bool host_counts = head.form != TargetForm::kAuthority;
  if (host_counts && head.host && head.target && !is_same(*head.host, head))
    return refuse(Code::kHostMismatch);
  auto body = request_framing(head.method, head.version, head.fields);
  if (!body) return tl::unexpected(std::move(body.error()));
  head.body = *body;
  head.is_persistent = is_persistent(head);
  head.expects_continue = head.version == Version::kHttp11 && head.body != Body{} &&
                          head.fields.has_token("expect", "100-continue");
  return head;
}

}  // namespace leash::http
