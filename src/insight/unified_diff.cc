#include "insight/unified_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace leash::insight {
namespace {

constexpr std::size_t kContext = 3;

// Each with its end; the last may have none.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto size = end == std::string_view::npos ? text.size() : end + 1;
    lines.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return lines;
}

void put(std::string& out, char sign, std::string_view line) {
  out += sign;
  out += line;
  if (!line.ends_with('\n')) out += "\n\\ No newline at end of file\n";
}

// "12,3": first line and number of lines; an empty range names the line before it.
std::string range(std::size_t begin, std::size_t end) {
  return fmt::format("{},{}", begin == end ? begin : begin + 1, end - begin);
}

}  // namespace

std::string unified_diff(std::string_view old_text, std::string_view new_text,
                         const std::string& old_name, const std::string& new_name) {
  if (old_text == new_text) return {};
  const auto before = lines_of(old_text);
  const auto after = lines_of(new_text);
  const std::size_t most = std::min(before.size(), after.size());
  std::size_t same = 0;
  while (same < most && before[same] == after[same]) ++same;
  std::size_t tail = 0;
  while (tail < most - same && before[before.size() - 1 - tail] == after[after.size() - 1 - tail]) {
    ++tail;
  }
  const std::size_t begin = same - std::min(same, kContext);
  const std::size_t context = std::min(tail, kContext);
  const std::size_t old_end = before.size() - tail;
  const std::size_t new_end = after.size() - tail;
  std::string out = fmt::format("--- {}\n+++ {}\n@@ -{} +{} @@\n", old_name, new_name,
                                range(begin, old_end + context), range(begin, new_end + context));
  for (std::size_t i = begin; i < same; ++i) put(out, ' ', before[i]);
  for (std::size_t i = same; i < old_end; ++i) put(out, '-', before[i]);
  for (std::size_t i = same; i < new_end; ++i) put(out, '+', after[i]);
  for (std::size_t i = old_end; i < old_end + context; ++i) put(out, ' ', before[i]);
  return out;
}

}  // namespace leash::insight
