// Between HTTP/2 header lists and messages as values: RFC 9113 s. 8, without its tolerances.
#pragma once

#include <forward_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "http/message.h"

namespace leash::http {

// A decoded header block. nghttp2 has judged names, values and the set of pseudo-fields already.
struct HeaderBlock {
  std::vector<Field> pseudo;
  Fields fields;  // the crumbs of a cookie joined (RFC 9113 s. 8.2.3)
  std::size_t bytes = 0;

  void add(std::string_view name, std::string_view value);
  [[nodiscard]] const std::string* find_pseudo(std::string_view name) const;
};

// What goes into HPACK: pseudo-fields first, names in lower case. Nothing of the message that it
// was made of is copied, which has to outlive it.
class HeaderList {
 public:
  struct Item {
    std::string_view name, value;
  };

  explicit HeaderList(std::size_t expected) { items_.reserve(expected); }
  HeaderList(HeaderList&&) = default;
  HeaderList& operator=(HeaderList&&) = default;

  // Both must outlive the list.
  void add(std::string_view name, std::string_view value) { items_.push_back({name, value}); }
  // For as long as the list.
  [[nodiscard]] std::string_view keep(std::string text) {
    return kept_.emplace_front(std::move(text));
  }
  [[nodiscard]] auto begin() const { return items_.begin(); }
  [[nodiscard]] auto end() const { return items_.end(); }
  [[nodiscard]] std::size_t size() const { return items_.size(); }
  [[nodiscard]] bool empty() const { return items_.empty(); }

 private:
  std::vector<Item> items_;
  std::forward_list<std::string> kept_;  // does not move its texts
};

enum class StreamEnd { kHere, kLater };

// Errors, all with fault client: bad_target (scheme, path), host_missing, host_mismatch (Host is
// not :authority), those of parse_authority, bad_content_length, bad_field_name, bad_field_value,
// unsupported_method (CONNECT but for a WebSocket's).
[[nodiscard]] base::Result<RequestHead> request_from(HeaderBlock block, StreamEnd end);
// `method` is that of the request. Errors, with fault origin: bad_status_line, bad_content_length,
// bad_field_name, bad_field_value.
[[nodiscard]] base::Result<ResponseHead> response_from(HeaderBlock block, StreamEnd end,
                                                       std::string_view method);
// Fields that may not be trailers (RFC 9110 s. 6.5.1) are dropped.
[[nodiscard]] Fields trailers_from(HeaderBlock block);

// :authority is the Host field, or else `head.host`; the fields of one connection (RFC 9113
// s. 8.2.2) stay behind; content-length is that of `head.body`.
[[nodiscard]] HeaderList request_list(const RequestHead& head);
[[nodiscard]] HeaderList response_list(const ResponseHead& head);
[[nodiscard]] HeaderList trailer_list(const Fields& trailers);

}  // namespace leash::http
