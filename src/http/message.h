// HTTP messages as values, the same for HTTP/1 and HTTP/2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/authority.h"

namespace leash::http {

struct Field {
  std::string name;   // spelling as received
  std::string value;  // without blanks around
  bool operator==(const Field&) const = default;
};

// Fields in order of arrival. Names compare without case.
class Fields {
 public:
  void add(std::string name, std::string value);
  // The first value, or nullptr.
  [[nodiscard]] const std::string* find(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
  [[nodiscard]] std::size_t count(std::string_view name) const;
  // Comma-separated lists (RFC 9110 s. 5.6.1) over all lines of that name: is `token` in them,
  // without case?
  [[nodiscard]] bool has_token(std::string_view name, std::string_view token) const;
  void remove(std::string_view name);
  // Replaces all lines of that name by one, in the place of the first.
  void set(std::string_view name, std::string value);
  [[nodiscard]] const std::vector<Field>& all() const { return fields_; }
  [[nodiscard]] std::vector<Field>& all() { return fields_; }
  [[nodiscard]] bool empty() const { return fields_.empty(); }
  [[nodiscard]] std::size_t size() const { return fields_.size(); }
  bool operator==(const Fields&) const = default;

 private:
  std::vector<Field> fields_;
};

// How the end of a body is known (RFC 9112 s. 6.3). In a response kNone means that the rules leave
// no room for one: to HEAD, 1xx, 204, 304. A Content-Length among the fields of such a head is only
// told, not framing. A response that happens to be empty is kLength with 0.
enum class Framing { kNone, kLength, kChunked, kUntilClose };
struct Body {
  Framing framing = Framing::kNone;
  std::uint64_t length = 0;  // kLength only; kLength with 0 is written as Content-Length: 0
  [[nodiscard]] bool is_expected() const {
    return framing != Framing::kNone && !(framing == Framing::kLength && length == 0);
  }
  bool operator==(const Body&) const = default;
};

enum class Version { kHttp10, kHttp11, kHttp2 };

enum class TargetForm { kOrigin, kAbsolute, kAuthority, kAsterisk };

struct RequestHead {
  std::string method;
  TargetForm form = TargetForm::kOrigin;
  std::string scheme;  // "http" or "https" in absolute-form and HTTP/2, else ""
  std::optional<base::Authority>
      target;  // CONNECT's, or the absolute-form's (default port by scheme)
  std::optional<base::Authority> host;  // Host or :authority; port 0 where it names none
  std::string path;  // origin-form: path and query, as received; "*" for asterisk
  Version version = Version::kHttp11;
  Fields fields;  // with Host
  Body body;
  bool is_persistent = true;  // may the connection go on after this message
  bool expects_continue = false;
  std::string upgrade;  // what goes out asks for this protocol ("websocket"); never set by a parser
  std::string protocol;  // :protocol of an extended CONNECT (RFC 8441), else ""
  bool operator==(const RequestHead&) const = default;
};

struct ResponseHead {
  int status = 0;
  std::string reason;
  Version version = Version::kHttp11;
  Fields fields;
  Body body;
  bool is_persistent = true;
  std::string upgrade;  // with 101 only; never set by a parser
  [[nodiscard]] bool is_interim() const { return status >= 100 && status < 200 && status != 101; }
  bool operator==(const ResponseHead&) const = default;
};

// What a parser finds, in order: a head, body bytes, the end.
struct BodyBytes {
  std::string_view bytes;  // into the parser's input
};
struct MessageEnd {
  Fields trailers;
};

struct Limits {
  std::size_t head_bytes = 64 * 1024;
  std::size_t fields = 128;
};

}  // namespace leash::http
