// Feeds an HTTP/1 parser in pieces of one size and notes what it finds.
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "http/h1_parser.h"

namespace leash::http {

// Messages, with their bodies put together again: equal for the same bytes, however they were cut.
template <class Head>
struct Seen {
  std::vector<Head> heads;
  std::vector<std::string> bodies;  // one a head
  std::vector<Fields> trailers;     // one an end
  std::optional<base::Code> error;
  bool operator==(const Seen&) const = default;

  void take(Head&& head) {
    heads.push_back(std::move(head));
    bodies.emplace_back();
  }
  void take(BodyBytes&& body) { bodies.back().append(body.bytes); }
  void take(MessageEnd&& end) { trailers.push_back(std::move(end.trailers)); }
  [[nodiscard]] std::string error_word() const {
    return error ? std::string(base::word(*error)) : "none";
  }
};

// Each piece is a copy of its own, gone when the parser has had it: a view kept too long is found
// by ASan. False after an error.
template <class Parser, class Head>
bool feed(Parser& parser, std::string_view bytes, std::size_t piece, Seen<Head>& seen) {
  while (!bytes.empty()) {
    const std::string copy(bytes.substr(0, piece));
    bytes.remove_prefix(copy.size());
    std::string_view in = copy;
    for (;;) {
      auto event = parser.next(in);
      if (!event) {
        seen.error = event.error().code;
        return false;
      }
      if (!*event) break;
      std::visit([&seen](auto&& part) { seen.take(std::forward<decltype(part)>(part)); },
                 std::move(**event));
    }
  }
  return true;
}

inline Seen<RequestHead> feed_requests(std::string_view bytes, std::size_t piece,
                                       const Limits& limits = {}) {
  RequestParser parser(limits);
  Seen<RequestHead> seen;
  (void)feed(parser, bytes, piece, seen);
  return seen;
}

// Announces `methods`, feeds, then ends the connection.
inline Seen<ResponseHead> feed_responses(std::string_view bytes, std::size_t piece,
                                         std::initializer_list<std::string_view> methods,
                                         const Limits& limits = {}) {
  ResponseParser parser(limits);
  for (const auto method : methods) parser.expect(method);
  Seen<ResponseHead> seen;
  if (!feed(parser, bytes, piece, seen)) return seen;
  auto event = parser.finish();
  if (!event) {
    seen.error = event.error().code;
  } else if (*event) {
    seen.take(std::get<MessageEnd>(std::move(**event)));
  }
  return seen;
}

}  // namespace leash::http
