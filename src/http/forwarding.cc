#include "http/forwarding.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "http/request_target.h"
#include "http/syntax.h"

namespace leash::http {
namespace {

using base::equals_ignoring_case;

bool is_one_of(std::string_view name, const auto& names) {
  return std::any_of(names.begin(), names.end(),
                     [name](std::string_view n) { return equals_ignoring_case(name, n); });
}

// For one connection, whether Connection names them or not (RFC 9110 s. 7.6.1).
bool is_hop_by_hop(std::string_view name) {
  static constexpr std::array<std::string_view, 6> kNames = {
      "connection", "keep-alive", "te", "transfer-encoding", "upgrade", "http2-settings"};
  constexpr std::string_view kProxy = "proxy-";
  return is_one_of(name, kNames) || equals_ignoring_case(name.substr(0, kProxy.size()), kProxy);
}

// Connection is a stranger's word: it may not take away what the other side decides on.
bool is_beyond_connection(std::string_view name) {
  static constexpr std::array<std::string_view, 5> kNames = {"host", "authorization", "cookie",
                                                             "set-cookie", "www-authenticate"};
  constexpr std::string_view kContent = "content-";
  return is_one_of(name, kNames) || equals_ignoring_case(name.substr(0, kContent.size()), kContent);
}

// What Connection names, as far as it may. Copies, since the fields are about to move.
std::vector<std::string> named_by_connection(const Fields& fields) {
  std::vector<std::string> names;
  for (const Field& field : fields.all()) {
    if (!equals_ignoring_case(field.name, "connection")) continue;
    for_each_element(field.value, [&names](std::string_view name) {
      if (!is_hop_by_hop(name) && !is_beyond_connection(name) &&
          !equals_ignoring_case(name, "close")) {
        names.emplace_back(name);
      }
    });
  }
  return names;
}

template <class IsAlso>
void drop_hop_by_hop(Fields& fields, IsAlso is_also) {
  const std::vector<std::string> named = named_by_connection(fields);
  std::erase_if(fields.all(), [&](const Field& field) {
    return is_hop_by_hop(field.name) || is_also(field.name) || is_one_of(field.name, named);
  });
}

// HTTP/2 may cut Cookie into several fields; HTTP/1 has one (RFC 9113 s. 8.2.3).
void join_cookies(Fields& fields) {
  if (fields.count("cookie") < 2) return;
  std::string joined;
  for (const Field& field : fields.all()) {
    if (!equals_ignoring_case(field.name, "cookie")) continue;
    if (!joined.empty()) joined.append("; ");
    joined.append(field.value);
  }
  fields.set("Cookie", std::move(joined));
}

// The base64 of 16 bytes: 22 digits, the last of them with four bits to spare, and two "=".
bool is_websocket_key(std::string_view key) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  constexpr std::string_view kLastDigits = "AQgw";
  return key.size() == 24 && key.substr(22) == "==" &&
         key.substr(0, 22).find_first_not_of(kDigits) == std::string_view::npos &&
         kLastDigits.find(key[21]) != std::string_view::npos;
}

}  // namespace

std::optional<std::string> websocket_key(const RequestHead& head) {
  const bool has_body =
      head.body.framing != Framing::kNone && head.body != Body{Framing::kLength, 0};
  if (head.method != "GET" || head.version != Version::kHttp11 || has_body) return std::nullopt;
  if (!head.fields.has_token("upgrade", "websocket")) return std::nullopt;
  if (!head.fields.has_token("connection", "upgrade")) return std::nullopt;
  const std::string* version = head.fields.find("sec-websocket-version");
  const std::string* key = head.fields.find("sec-websocket-key");
  if (version == nullptr || *version != "13" || head.fields.count("sec-websocket-version") != 1) {
    return std::nullopt;
  }
  if (key == nullptr || !is_websocket_key(*key) || head.fields.count("sec-websocket-key") != 1) {
    return std::nullopt;
  }
  return *key;
}

void prepare_for_origin(RequestHead& head, const base::Authority& authority,
                        std::string_view scheme) {
  const bool takes_trailers = head.fields.has_token("te", "trailers");
  drop_hop_by_hop(head.fields,
                  [](std::string_view name) { return equals_ignoring_case(name, "expect"); });
  if (takes_trailers) head.fields.add("TE", "trailers");
  join_cookies(head.fields);
  head.fields.set("Host", authority.text_without(default_port(scheme)));
  head.host = authority;
  head.scheme = std::string(scheme);
  if (head.form == TargetForm::kAbsolute) {
    head.form = head.path == "*" ? TargetForm::kAsterisk : TargetForm::kOrigin;
  }
}

void prepare_for_client(ResponseHead& head) {
  drop_hop_by_hop(head.fields,
                  [](std::string_view name) { return equals_ignoring_case(name, "alt-svc"); });
}

bool is_idempotent(std::string_view method) {
  static constexpr std::array<std::string_view, 6> kMethods = {"GET",   "HEAD", "OPTIONS",
                                                               "TRACE", "PUT",  "DELETE"};
  return std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
}

}  // namespace leash::http
