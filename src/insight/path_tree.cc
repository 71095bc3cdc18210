#include "insight/path_tree.h"

#include <algorithm>

namespace leash::insight {
namespace {

constexpr std::size_t kLongestSegment = 64;
constexpr std::uint64_t kEnoughRequests = 5;   // at a place, before its branches count as stable
constexpr std::uint64_t kRequestsABranch = 2;  // on average
constexpr std::size_t kMostDigits = 4;         // of a word such as "v2" or "k8s1234"
constexpr std::size_t kShortestHash = 8;
constexpr std::size_t kShortestToken = 20;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// A run of letters and digits that no person would have chosen as a name.
bool is_variable_word(std::string_view word) {
  const auto count = [word](auto is) {
    return static_cast<std::size_t>(std::count_if(word.begin(), word.end(), is));
  };
  const std::size_t digits = count(is_digit);
  if (digits > kMostDigits) return true;
  if (digits > 0 && word.size() >= kShortestHash && count(is_hex) == word.size()) return true;
  if (word.size() < kShortestToken) return false;
  return digits > 0 || (count(is_lower) > 0 && count(is_upper) > 2);
}

}  // namespace

bool is_variable_segment(std::string_view segment) {
  if (segment.empty() || segment.size() > kLongestSegment) return true;
  bool has_letter = false;
  std::string_view rest = segment;
  std::size_t length = 0;
  for (const char c : rest) {
    if (is_lower(c) || is_upper(c)) has_letter = true;
    const bool is_word = is_digit(c) || is_lower(c) || is_upper(c);
    if (!is_word && std::string_view("-._~@+").find(c) == std::string_view::npos) return true;
  }
  if (!has_letter) return true;
  while (!rest.empty()) {
    length = std::min(rest.find_first_of("-._~@+"), rest.size());
    if (is_variable_word(rest.substr(0, length))) return true;
    rest.remove_prefix(std::min(length + 1, rest.size()));
  }
  return false;
}

void PathTree::add(std::string_view path, std::size_t& budget) {
  path = path.substr(0, path.find_first_of("?#"));
  Node* node = &root_;
  for (std::size_t depth = 0;; ++depth) {
    ++node->requests;
    // `path` is now what stands behind the node: "", or '/' and more.
    if (path.empty()) {
      ++node->ends;
      return;
    }
    path.remove_prefix(1);
    if (path.empty()) {
      ++node->ends_in_slash;
      return;
    }
    if (node->is_open || depth == kMaxDepth) return;
    const std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size());
    auto branch = node->branches.find(segment);
    if (branch == node->branches.end()) {
      if (node->branches.size() == kMaxBranches || budget == 0 || is_variable_segment(segment)) {
        node->is_open = true;
        node->branches.clear();
        return;
      }
      --budget;
      branch = node->branches.emplace(segment, std::make_unique<Node>()).first;
    }
    node = branch->second.get();
  }
}

bool PathTree::goes_on(const Node& node, std::size_t depth) {
  return depth > 0 && !node.is_open && !node.branches.empty() && node.requests >= kEnoughRequests &&
         node.requests >= kRequestsABranch * node.branches.size();
}

// `prefix` is the node's path without a slash at its end; "" for the root.
void PathTree::collect(const Node& node, const std::string& prefix, std::size_t depth,
                       std::vector<Prefix>& out) {
  if (node.ends > 0) {
    out.push_back({prefix.empty() ? "/" : prefix, node.requests});
  } else if (node.ends_in_slash > 0 || !goes_on(node, depth)) {
    out.push_back({prefix + "/", node.requests});
  } else {
    for (const auto& [segment, branch] : node.branches) {
      std::string longer = prefix;
      longer.append("/").append(segment);
      collect(*branch, longer, depth - 1, out);
    }
  }
}

void PathTree::reduce(std::vector<Prefix>& prefixes) {
  std::sort(prefixes.begin(), prefixes.end(),
            [](const Prefix& a, const Prefix& b) { return a.text < b.text; });
  // In this order a prefix stands right before what it covers.
  std::vector<Prefix> kept;
  for (Prefix& prefix : prefixes) {
    if (!kept.empty() && prefix.text.starts_with(kept.back().text)) {
      kept.back().requests += prefix.requests;
    } else {
      kept.push_back(std::move(prefix));
    }
  }
  prefixes = std::move(kept);
}

std::vector<PathTree::Prefix> PathTree::prefixes(std::size_t max_depth) const {
  std::vector<Prefix> found;
  if (root_.requests == 0) return found;
  collect(root_, {}, std::min(max_depth, kMaxDepth), found);
  reduce(found);
  return found;
}

}  // namespace leash::insight
