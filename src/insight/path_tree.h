// The leading segments of the paths that were asked for, in bounded memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace leash::insight {

// A segment that names a thing and not a place: numbers, dates, UUIDs, hashes, tokens, escapes,
// anything long. A prefix that held one would fit one thing only.
[[nodiscard]] bool is_variable_segment(std::string_view segment);

// Paths of one method on one host and port. What it says does not depend on the order of the paths.
class PathTree {
 public:
  static constexpr std::size_t kMaxDepth = 4;     // segments in a prefix
  static constexpr std::size_t kMaxBranches = 6;  // stable segments side by side

  // `path` begins with '/'; a query does not count. `budget` is the number of nodes that may still
  // be made, shared among trees; a place that finds none left is taken for one with many
  // branches, which makes prefixes shorter.
  void add(std::string_view path, std::size_t& budget);

  struct Prefix {
    std::string text;
    std::uint64_t requests = 0;  // that it covers
    bool operator==(const Prefix&) const = default;
  };
  // Prefixes, sorted, none of which covers another, that together cover every path that was added:
  // down to at most `max_depth` segments, as long as there are few branches and enough requests for
  // each. A prefix ends with '/' but where a path ended in its last segment: matching is raw, so
  // "/v1/models/" would not fit "/v1/models", and "/v1/models" also fits "/v1/models2".
  [[nodiscard]] std::vector<Prefix> prefixes(std::size_t max_depth = kMaxDepth) const;
  // Sorts `prefixes` and takes out those that others cover, whose requests become the others'.
  static void reduce(std::vector<Prefix>& prefixes);
  [[nodiscard]] std::uint64_t requests() const { return root_.requests; }

 private:
  struct Node {
    std::uint64_t requests = 0;
    std::uint64_t ends = 0;  // of them, those whose path ends here without a slash
    std::uint64_t ends_in_slash = 0;
    bool is_open = false;  // too many branches, or a variable one: no longer told apart
    std::map<std::string, std::unique_ptr<Node>, std::less<>> branches;
  };
  static bool goes_on(const Node& node, std::size_t depth);
  static void collect(const Node& node, const std::string& prefix, std::size_t depth,
                      std::vector<Prefix>& out);

  Node root_;
};

}  // namespace leash::insight
