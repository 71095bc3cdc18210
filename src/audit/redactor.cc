// Which header and which query parameter holds a secret, and what is written in its place.
#include <algorithm>
#include <array>

#include "audit/record.h"
#include "base/text.h"
#include "tls/digest.h"

namespace leash::audit {
namespace {

constexpr std::array<std::string_view, 11> kSecretHeaders = {
    "authorization",       "cookie",  "set-cookie",     "proxy-authorization", "x-api-key",
    "x-auth-token",        "api-key", "x-goog-api-key", "private-token",       "x-vault-token",
    "x-amz-security-token"};
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

}  // namespace

Redactor::Redactor(Secrets secrets, std::string key) : secrets_(secrets), key_(std::move(key)) {}

void Redactor::headers(HeaderList& headers) const {
  if (secrets_ == Secrets::kKeep) return;
  for (auto& [name, value] : headers) {
    const std::string lower = base::lower(name);
    if (contains(kSecretHeaders, lower)) {
      if (!value.empty()) value = mark(key_, value);
    } else if (contains(kUrlHeaders, lower)) {
      value = url(value);
    }
  }
}

std::string Redactor::url(std::string_view url) const {
  if (secrets_ == Secrets::kKeep) return std::string(url);
  std::string out;
  out.reserve(url.size() + 32);
  const std::size_t end = std::min(url.find_first_of("?#"), url.size());
  append_before_query(out, url.substr(0, end), key_);
  while (!url.empty()) {
    url.remove_prefix(std::min(url.find_first_of("?#"), url.size()));
    if (url.empty()) break;
    out.push_back(url[0]);
    url.remove_prefix(1);
    append_parameters(out, url.substr(0, url.find_first_of("?#")), key_);
  }
  return out;
}

}  // namespace leash::audit
