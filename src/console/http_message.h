// One request to the console and the answer to it, as values that cross threads.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ip_address.h"

namespace leash::console {

using Pairs = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method;       // "GET", ...
  std::string path;         // without query; as sent, never decoded
  Pairs query;              // decoded
  Pairs headers;            // names in lower case
  std::string target_host;  // of an absolute target; "" otherwise
  std::string body;
  base::SocketAddress peer;   // whom the socket said when it was accepted
  base::SocketAddress local;  // where it came in
  bool is_tls = false;

  // nullptr where there is none, or more than one: then nothing may be concluded from it.
  [[nodiscard]] const std::string* header(std::string_view name) const;
  [[nodiscard]] bool has_header(std::string_view name) const;
  // The first parameter of that name; nullopt where there is none.
  [[nodiscard]] std::optional<std::string> parameter(std::string_view name) const;
};

// Gives the next piece of a long answer, "" at its end. Called on the query threads, one call at a
// time.
using Pieces = std::function<std::string()>;

struct Reply {
  int status = 200;
  std::string type = "application/json";
  std::string body;
  Pairs headers;
  Pieces pieces;  // where set, they follow `body`
};

[[nodiscard]] Reply error_reply(int status, std::string_view text);
// {"error": text, "retry_after": seconds}, with the header.
[[nodiscard]] Reply retry_reply(int status, std::string_view text, std::int64_t seconds);
[[nodiscard]] const char* status_words(int status);

// %XX and '+' of application/x-www-form-urlencoded. What is no escape stays as it is.
[[nodiscard]] std::string decode_form(std::string_view text);
[[nodiscard]] Pairs parse_query(std::string_view query);

}  // namespace leash::console
