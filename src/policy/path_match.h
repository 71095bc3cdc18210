// How a raw request path is held against path rules.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/snapshot.h"

namespace leash::policy {

// By raw prefix: what an allow entry needs. The method is compared without regard to case. A server
// that cuts path parameters (";v=1") off the segments reads a path under the same prefix, since
// what it cuts comes after the prefix; only a rule that itself holds a ';' can mean more to it.
[[nodiscard]] bool matches(const PathRule& rule, std::string_view method, std::string_view path);

// What a block entry needs: every path that a server may read from one raw path. A server may
// decode escapes (more than once), merge slashes, and cut path parameters off each segment (RFC
// 3986 s. 3.3: "/admin;v=1/x"), so that "/%61dmin", "//admin" and "/;/admin" do not slip past
// "/admin". Letter case is left as it is: paths are case-sensitive.
class PathReadings {
 public:
  // `path` is raw, with or without a query.
  explicit PathReadings(std::string_view path);

  // Any reading is under the rule's prefix, which may be escaped itself. Also true for any prefix
  // where the decodings do not end.
  [[nodiscard]] bool match(const PathRule& rule, std::string_view method) const;

 private:
  void add(const std::string& reading, int decodings_left);

  std::string raw_;
  std::vector<std::string> readings_;  // slashes merged, each once
  bool is_endless_ = false;
};

}  // namespace leash::policy
