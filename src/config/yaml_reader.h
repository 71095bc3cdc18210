// YAML text to a plain tree with positions; the only place that meets yaml-cpp.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace leash::config {

struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  bool is_quoted = false;       // a scalar in quotes or a block scalar
  bool is_flow = false;         // "[a, b]" and "{a: b}"
  int line = 0;                 // 1-based
  int column = 0;               // 0-based, in bytes
  std::size_t offset = 0;       // in the text without its byte order mark
  std::string text;             // of a scalar
  std::vector<YamlNode> items;  // of a list; of a map its key, value, key, value, ...

  [[nodiscard]] bool is_scalar() const { return kind == Kind::kScalar; }
  [[nodiscard]] bool is_list() const { return kind == Kind::kList; }
  [[nodiscard]] bool is_map() const { return kind == Kind::kMap; }
  [[nodiscard]] bool is_null() const { return kind == Kind::kNull; }
  // The value of the first such key of a map, else null.
  [[nodiscard]] const YamlNode* find(std::string_view key) const;
};

struct YamlError {
  int line = 0;
  std::string text;
};

// What is left when a UTF-8 byte order mark is taken off.
[[nodiscard]] std::string_view without_bom(std::string_view text);

// Takes the items of a list that is a value of the top-level map, as soon as each is complete.
using YamlItemSink = std::function<void(const std::string& key, YamlNode&& item)>;

// One document; an empty one is kNull. Refused besides broken YAML: text that is not UTF-8 or holds
// control bytes (yaml-cpp takes 0x04 for the end), anchors, aliases, explicit tags, several
// documents, nesting deeper than 32, keys that are not scalars, equal keys in the top-level map, a
// scalar, or a "[...]" or "{...}" that must be read ahead, longer than some 256 KiB, more than
// `most_nodes` nodes held at a time. With a sink the items it takes are not in the tree. Never
// throws but for memory.
[[nodiscard]] tl::expected<YamlNode, YamlError> parse_yaml(std::string_view text,
                                                           const YamlItemSink& sink = {},
                                                           std::size_t most_nodes = 1'000'000);

}  // namespace leash::config
