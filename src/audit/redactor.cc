// Which header and which query parameter holds a secret, and what is written in its place.
#include <algorithm>
#include <array>

#include "audit/record.h"
#include "base/text.h"
#include "tls/digest.h"

namespace leash::audit {
namespace {

constexpr std::array<std::string_view, 18> kSecretHeaders = {
    "authorization", "cookie",          "set-cookie",
    "x-api-key",     "x-auth-token",    "proxy-authorization",
    "api-key",       "x-goog-api-key",  "private-token",
    "x-vault-token", "apikey",          "x-amz-security-token",
    "dd-api-key",    "x-auth-key",      "x-access-token",
    "x-csrf-token",  "x-functions-key", "ocp-apim-subscription-key"};
// Their values are URLs, which may carry secrets in turn.
constexpr std::array<std::string_view, 3> kUrlHeaders = {"referer", "location", "content-location"};

// Names of parameters after `plain_name`.
constexpr std::array<std::string_view, 13> kSecretParameters = {
    "key",    "auth", "authorization", "authkey",   "sig", "pass",     "pwd",
    "passwd", "jwt",  "session",       "sessionid", "sas", "assertion"};
constexpr std::array<std::string_view, 7> kSecretEndings = {
    "token", "apikey", "accesskey", "secretkey", "subscriptionkey", "signature", "credential"};
constexpr std::array<std::string_view, 3> kSecretParts = {"secret", "password", "passphrase"};

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high >= 0 && low >= 0) {
        out.push_back(static_cast<char>(high * 16 + low));
        i += 2;
        continue;
      }
    }
    out.push_back(text[i]);
  }
  return out;
}

// Lower case, letters and digits only: "X-Amz-Signature", "x_amz_signature" and "%78-amz-signature"
// are one name.
std::string plain_name(std::string_view text) {
  std::string out;
  for (const char c : base::lower(percent_decoded(text))) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) out.push_back(c);
  }
  return out;
}

template <std::size_t N>
bool contains_ignoring_case(const std::array<std::string_view, N>& list, std::string_view word) {
  return std::any_of(list.begin(), list.end(), [word](std::string_view known) {
    return base::equals_ignoring_case(known, word);
  });
}

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

bool is_secret_parameter(std::string_view raw_name) {
  const std::string name = plain_name(raw_name);
  if (contains(kSecretParameters, name)) return true;
  return std::any_of(kSecretEndings.begin(), kSecretEndings.end(),
                     [&](std::string_view end) { return name.ends_with(end); }) ||
         std::any_of(kSecretParts.begin(), kSecretParts.end(),
                     [&](std::string_view part) { return name.find(part) != std::string::npos; });
}

std::string mark(std::string_view key, std::string_view secret) {
  const tls::Digest digest = tls::hmac_sha256(key, secret);
  return "[redacted hmac:" + tls::hex(digest).substr(0, 8) + "]";
}

// Of a query or a fragment, without its '?' or '#'.
void append_parameters(std::string& out, std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of("&;"), text.size());
    const std::string_view parameter = text.substr(0, end);
    const std::size_t equals = parameter.find('=');
    if (equals != std::string_view::npos && equals + 1 < parameter.size() &&
        is_secret_parameter(parameter.substr(0, equals))) {
      out.append(parameter.substr(0, equals + 1));
      out.append(mark(key, percent_decoded(parameter.substr(equals + 1))));
    } else {
      out.append(parameter);
    }
    if (end < text.size()) out.push_back(text[end]);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

// How many bytes come before the next '?' or '#'. (find_first_of() asks about each byte apart.)
std::size_t before_query(std::string_view url) {
  return std::min({url.find('?'), url.find('#'), url.size()});
}

// Scheme, authority and path; a password before '@' is a secret too (RFC 3986 s. 3.2.1).
void append_before_query(std::string& out, std::string_view text, std::string_view key) {
  const std::size_t scheme = text.find("://");
  if (scheme != std::string_view::npos) {
    const std::size_t begin = scheme + 3;
    const std::size_t end = std::min(text.find('/', begin), text.size());
    const std::size_t at = text.substr(0, end).rfind('@');
    if (at != std::string_view::npos && at > begin) {
      out.append(text.substr(0, begin));
      out.append(mark(key, text.substr(begin, at - begin)));
      out.append(text.substr(at));
      return;
    }
  }
  out.append(text);
}

// A label that announces a secret: "openai-insecure-api-key", "bearer", "access_token".
bool announces_secret(std::string_view label) {
  return is_secret_parameter(label) || plain_name(label).find("bearer") != std::string::npos;
}

// No subprotocol of the IANA registry looks like that: a JWT, or a long run of letters and digits.
bool looks_like_token(std::string_view item) {
  if (item.starts_with("eyJ") && item.find('.') != std::string_view::npos) return true;
  constexpr std::size_t kShortestToken = 32;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return item.size() >= kShortestToken && item.find('.') == std::string_view::npos &&
         std::any_of(item.begin(), item.end(), is_digit) &&
         std::any_of(item.begin(), item.end(), is_letter);
}

// One subprotocol, with what follows the first label that announces a secret hidden.
std::string without_secret(std::string_view item, std::string_view key) {
  std::size_t begin = 0;
  for (auto dot = item.find('.'); dot != std::string_view::npos; dot = item.find('.', begin)) {
    const bool is_announced = announces_secret(item.substr(begin, dot - begin));
    begin = dot + 1;
    if (is_announced && begin < item.size()) {
      return std::string(item.substr(0, begin)) + mark(key, item.substr(begin));
    }
  }
  return looks_like_token(item) ? mark(key, item) : std::string(item);
}

// Sec-WebSocket-Protocol (RFC 6455 s. 11.3.4): browsers can set no other field of a handshake, so
// tokens travel in it, as "openai-insecure-api-key.KEY", as "bearer, TOKEN" or bare.
std::string subprotocols(std::string_view list, std::string_view key) {
  std::string out;
  bool is_announced = false;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    const std::string_view item = base::trim(list.substr(0, end));
    if (!out.empty()) out.append(", ");
    out.append(is_announced && !item.empty() ? mark(key, item) : without_secret(item, key));
    // One with a dot holds its secret itself.
    is_announced = item.find('.') == std::string_view::npos && announces_secret(item);
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return out;
}

}  // namespace

Redactor::Redactor(Secrets secrets, std::string key) : secrets_(secrets), key_(std::move(key)) {}

std::optional<std::string> Redactor::header(std::string_view name, std::string_view value) const {
  if (secrets_ == Secrets::kKeep) return std::nullopt;
  if (contains_ignoring_case(kSecretHeaders, name)) {
    if (value.empty()) return std::nullopt;
    return mark(key_, value);
  }
  if (contains_ignoring_case(kUrlHeaders, name)) return url(value);
  if (base::equals_ignoring_case(name, "sec-websocket-protocol")) return subprotocols(value, key_);
  return std::nullopt;
}

std::string Redactor::url(std::string_view url) const {
  if (secrets_ == Secrets::kKeep) return std::string(url);
  std::string out;
  out.reserve(url.size() + 32);
  std::size_t end = before_query(url);
  append_before_query(out, url.substr(0, end), key_);
  while (end < url.size()) {
    out.push_back(url[end]);
    url.remove_prefix(end + 1);
    end = before_query(url);
    append_parameters(out, url.substr(0, end), key_);
  }
  return out;
}

}  // namespace leash::audit
