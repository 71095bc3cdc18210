// The top-level fields of one log line, without a copy of the line and without a tree.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leash::audit {

// RapidJSON is not used here: a tail over a large log wants three fields of lines that hold
// megabytes of bodies, and a lone surrogate must come back as the byte that it stands for.
class LineView {
 public:
  // One JSON object, strict (RFC 8259), blanks allowed where JSON allows them; nested values are
  // skipped with their brackets checked, to 64 levels. nullopt for anything else. `line` must
  // outlive the view. Of keys that come twice the first counts.
  [[nodiscard]] static std::optional<LineView> parse(std::string_view line);
  template <std::same_as<std::string> T>
  static std::optional<LineView> parse(T&& temporary) = delete;

  // The value as it stands in the line, quotes and escapes included; empty where there is none.
  [[nodiscard]] std::string_view raw(std::string_view key) const;
  // A string value, unescaped: \udcXX is the byte XX again. nullopt: absent, or not a string.
  [[nodiscard]] std::optional<std::string> text(std::string_view key) const;
  [[nodiscard]] std::optional<double> number(std::string_view key) const;
  // A whole number without sign, fraction and exponent.
  [[nodiscard]] std::optional<std::uint64_t> integer(std::string_view key) const;

  // Keys (as they stand, unescaped names only in our logs) with raw values, in the order of the
  // line.
  [[nodiscard]] const std::vector<std::pair<std::string_view, std::string_view>>& fields() const {
    return fields_;
  }

 private:
  LineView() = default;
  std::vector<std::pair<std::string_view, std::string_view>> fields_;
};

// Unescapes a JSON string with its quotes. nullopt where it is not one.
[[nodiscard]] std::optional<std::string> unescape(std::string_view quoted);

}  // namespace leash::audit
