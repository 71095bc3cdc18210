#include "http/h2_fields.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "http/request_target.h"
#include "http/syntax.h"
#include "http/trailers.h"

namespace leash::http {
namespace {

using base::Code;
using base::Error;
using base::Fault;

// RFC 9113 s. 6.5.2.
constexpr std::size_t kFieldOverhead = 32;

// What most messages have room in, so that their lists do not grow step by step.
constexpr std::size_t kUsualPseudo = 4;
constexpr std::size_t kUsualFields = 12;

// RFC 9113 s. 8.2.2.
bool is_connection_field(std::string_view name) {
  static constexpr std::array<std::string_view, 6> kNames = {
      "connection",        "keep-alive", "proxy-connection",
      "transfer-encoding", "upgrade",    "http2-settings"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

bool is_lower_case(std::string_view name) {
  return std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

// RFC 9113 s. 8.2.1. nghttp2 says the same; what goes on to an HTTP/1 leg is worth a second look.
std::optional<Error> check_fields(const Fields& fields, Fault fault) {
  for (const Field& field : fields.all()) {
    if (!is_token(field.name) || !is_lower_case(field.name) || is_connection_field(field.name)) {
      return Error{Code::kBadFieldName, fault, {}};
    }
    const std::string& value = field.value;
    if (!consists_of(kValueBytes, value) || trim_blanks(value).size() != value.size()) {
      return Error{Code::kBadFieldValue, fault, field.name};
    }
    if (field.name == "te" && !base::equals_ignoring_case(value, "trailers")) {
      return Error{Code::kBadFieldValue, fault, "te"};
    }
  }
  return std::nullopt;
}

bool is_target(std::string_view path) {
  return consists_of(kTargetBytes, path) && path.find('#') == std::string_view::npos;
}

base::Result<std::optional<std::uint64_t>> content_length(const Fields& fields, Fault fault) {
  const std::string* text = fields.find("content-length");
  if (text == nullptr) return std::nullopt;
  const auto length = base::parse_decimal(*text, INT64_MAX);
  if (!length) return base::fail(Code::kBadContentLength, fault);
  if (fields.count("content-length") > 1) {
    return base::fail(Code::kDuplicateContentLength, fault);
  }
  return length;
}

std::uint16_t effective_port(const base::Authority& authority, std::string_view scheme) {
  return authority.port != 0 ? authority.port : default_port(scheme);
}

// Sets head.host and the Host field from :authority and Host, which must agree where both are
// there.
base::Result<void> put_host(RequestHead& head, const std::string* authority) {
  const std::string* host = head.fields.find("host");
  if (authority == nullptr && host == nullptr) {
    return base::fail(Code::kHostMissing, Fault::kClient);
  }
  if (head.fields.count("host") > 1) return base::fail(Code::kHostDuplicate, Fault::kClient);
  auto named = base::parse_authority(authority != nullptr ? *authority : *host, 0);
  if (!named) return tl::unexpected(std::move(named.error()));
  if (authority != nullptr && host != nullptr) {
    auto other = base::parse_authority(*host, 0);
    if (!other) return tl::unexpected(std::move(other.error()));
    if (other->host != named->host ||
        effective_port(*other, head.scheme) != effective_port(*named, head.scheme)) {
      return base::fail(Code::kHostMismatch, Fault::kClient, ":authority and host");
    }
  }
  if (authority != nullptr) {
    std::string text = *authority;
    head.fields.remove("host");
    auto& all = head.fields.all();
    all.insert(all.begin(), Field{"host", std::move(text)});
  }
  head.host = std::move(*named);
  return {};
}

Body request_body(const RequestHead& head, std::optional<std::uint64_t> length, StreamEnd end) {
  if (length) return {Framing::kLength, *length};
  if (end == StreamEnd::kLater) return {Framing::kChunked, 0};
  // RFC 9110 s. 8.6: an HTTP/1 origin expects to hear that there is nothing.
  const bool has_content = head.method == "POST" || head.method == "PUT" || head.method == "PATCH";
  return {has_content ? Framing::kLength : Framing::kNone, 0};
}

std::string_view lower_name(HeaderList& list, const std::string& name) {
  return is_lower_case(name) ? std::string_view(name) : list.keep(base::lower(name));
}

void append_fields(HeaderList& list, const Fields& fields) {
  for (const Field& field : fields.all()) {
    const std::string_view name = lower_name(list, field.name);
    if (is_connection_field(name) || name == "host" || name == "content-length") continue;
    if (name == "te" && !base::equals_ignoring_case(field.value, "trailers")) continue;
    list.add(name, field.value);
  }
}

}  // namespace

void HeaderBlock::add(std::string_view name, std::string_view value) {
  bytes += name.size() + value.size() + kFieldOverhead;
  if (name.starts_with(':')) {
    if (pseudo.empty()) pseudo.reserve(kUsualPseudo);
    Field& field = pseudo.emplace_back();
    field.name = name;
    field.value = value;
    return;
  }
  if (fields.empty()) fields.all().reserve(kUsualFields);
  if (name == "cookie") {
    for (Field& field : fields.all()) {
      if (field.name != "cookie") continue;
      field.value.append("; ").append(value);
      return;
    }
  }
  Field& field = fields.all().emplace_back();
  field.name = name;
  field.value = value;
}

const std::string* HeaderBlock::find_pseudo(std::string_view name) const {
  for (const Field& field : pseudo) {
    if (field.name == name) return &field.value;
  }
  return nullptr;
}

base::Result<RequestHead> request_from(HeaderBlock block, StreamEnd end) {
  const auto refuse = [](Code code, std::string detail = {}) {
    return base::fail(code, Fault::kClient, std::move(detail));
  };
  const std::string* method = block.find_pseudo(":method");
  const std::string* scheme = block.find_pseudo(":scheme");
  const std::string* path = block.find_pseudo(":path");
  const std::string* protocol = block.find_pseudo(":protocol");
  if (method == nullptr || !is_token(*method)) return refuse(Code::kBadRequestLine, ":method");
  if (*method == "CONNECT" && (protocol == nullptr || *protocol != "websocket")) {
    return refuse(Code::kUnsupportedMethod, "CONNECT");
  }
  if (protocol != nullptr && *method != "CONNECT") return refuse(Code::kBadTarget, ":protocol");

  RequestHead head;
  head.method = *method;
  head.version = Version::kHttp2;
  head.scheme = scheme == nullptr ? "" : base::lower(*scheme);
  if (head.scheme != "https" && head.scheme != "http") return refuse(Code::kBadTarget, ":scheme");
  head.path = path == nullptr ? "" : *path;
  if (head.path == "*" && head.method == "OPTIONS") {
    head.form = TargetForm::kAsterisk;
  } else if (!head.path.starts_with('/') || !is_target(head.path)) {
    return refuse(Code::kBadTarget, ":path");
  }
  if (protocol != nullptr) head.protocol = *protocol;
  if (auto error = check_fields(block.fields, Fault::kClient)) return tl::unexpected(*error);
  head.fields = std::move(block.fields);
  if (auto put = put_host(head, block.find_pseudo(":authority")); !put) {
    return tl::unexpected(std::move(put.error()));
  }
  const auto length = content_length(head.fields, Fault::kClient);
  if (!length) return tl::unexpected(length.error());
  if (*length && (!head.protocol.empty() || (end == StreamEnd::kHere && **length != 0))) {
    return refuse(Code::kBadContentLength);
  }
  head.body = request_body(head, *length, end);
  head.expects_continue = head.fields.has_token("expect", "100-continue");
  return head;
}

base::Result<ResponseHead> response_from(HeaderBlock block, StreamEnd end,
                                         std::string_view method) {
  const std::string* status = block.find_pseudo(":status");
  const auto code = status == nullptr ? std::nullopt : base::parse_decimal(*status, 999);
  // 101 does not exist here (RFC 9113 s. 8.6).
  if (!code || status->size() != 3 || *code < 100 || *code == 101) {
    return base::fail(Code::kBadStatusLine, Fault::kOrigin, ":status");
  }
  if (auto error = check_fields(block.fields, Fault::kOrigin)) return tl::unexpected(*error);
  ResponseHead head;
  head.status = static_cast<int>(*code);
  head.version = Version::kHttp2;
  head.fields = std::move(block.fields);
  const auto length = content_length(head.fields, Fault::kOrigin);
  if (!length) return tl::unexpected(length.error());
  const bool is_bodiless =
      head.is_interim() || head.status == 204 || head.status == 304 || method == "HEAD";
  if (method == "CONNECT" && head.status / 100 == 2) {
    head.body = {Framing::kUntilClose, 0};
  } else if (is_bodiless) {
    head.body = {};
  } else if (*length) {
    head.body = {Framing::kLength, **length};
  } else if (end == StreamEnd::kHere) {
    head.body = {Framing::kLength, 0};
  } else {
    head.body = {Framing::kChunked, 0};
  }
  return head;
}

Fields trailers_from(HeaderBlock block) {
  keep_allowed_trailers(block.fields);
  return std::move(block.fields);
}

HeaderList request_list(const RequestHead& head) {
  HeaderList list(head.fields.size() + kUsualPseudo + 2);  // :protocol, content-length
  const std::string_view scheme = head.scheme.empty() ? "https" : std::string_view(head.scheme);
  const std::string* host = head.fields.find("host");
  list.add(":method", head.protocol.empty() ? std::string_view(head.method) : "CONNECT");
  list.add(":scheme", scheme);
  if (host != nullptr) {
    list.add(":authority", *host);
  } else if (head.host) {
    base::Authority authority = *head.host;
    authority.port = effective_port(authority, scheme);
    list.add(":authority", list.keep(authority.text_without(default_port(scheme))));
  }
  list.add(":path", head.form == TargetForm::kAsterisk ? "*" : std::string_view(head.path));
  if (!head.protocol.empty()) list.add(":protocol", head.protocol);
  append_fields(list, head.fields);
  if (head.protocol.empty() && head.body.framing == Framing::kLength) {
    list.add("content-length", list.keep(std::to_string(head.body.length)));
  }
  return list;
}

HeaderList response_list(const ResponseHead& head) {
  HeaderList list(head.fields.size() + 2);  // :status, content-length
  list.add(":status", list.keep(std::to_string(head.status)));
  append_fields(list, head.fields);
  if (head.is_interim() || head.status == 204) return list;
  if (head.body.framing == Framing::kLength) {
    list.add("content-length", list.keep(std::to_string(head.body.length)));
  } else if (const std::string* length = head.fields.find("content-length");
             length != nullptr && head.body.framing == Framing::kNone) {
    // The answer to HEAD, and 304, tell of a body that does not come (RFC 9110 s. 8.6).
    list.add("content-length", *length);
  }
  return list;
}

HeaderList trailer_list(const Fields& trailers) {
  HeaderList list(trailers.size());
  for (const Field& field : trailers.all()) {
    const std::string_view name = lower_name(list, field.name);
    if (name.starts_with(':') || is_connection_field(name) || !is_allowed_in_trailer(name))
      continue;
    list.add(name, field.value);
  }
  return list;
}

}  // namespace leash::http
