#include "audit/header_json.h"

#include <optional>

#include "audit/json_text.h"
#include "base/text.h"

namespace leash::audit {
namespace {

using base::equals_ignoring_case;

// The values of all lines that have the name of line `first`; nullopt: it is the only one.
std::optional<std::string> joined_value(const HeaderLines& lines, std::size_t first) {
  std::optional<std::string> joined;
  for (std::size_t i = first + 1; i < lines.size(); ++i) {
    if (!equals_ignoring_case(lines[i].first, lines[first].first)) continue;
    if (!joined) joined.emplace(lines[first].second);
    joined->append(", ").append(lines[i].second);
  }
  return joined;
}

// Heads have at most 128 fields or so: a scan beats a map.
bool is_repeated(const HeaderLines& lines, std::size_t index) {
  for (std::size_t i = 0; i < index; ++i) {
    if (equals_ignoring_case(lines[i].first, lines[index].first)) return true;
  }
  return false;
}

}  // namespace

std::string header_json(const HeaderLines& lines, const Redactor& redactor) {
  std::size_t size = 2;
  for (const auto& [name, value] : lines) size += name.size() + value.size() + 10;
  std::string out;
  out.reserve(size);
  out.push_back('[');
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (is_repeated(lines, i)) continue;
    const auto joined = joined_value(lines, i);
    const std::string_view value = joined ? std::string_view(*joined) : lines[i].second;
    const auto redacted = redactor.header(lines[i].first, value);
    out.append(out.size() == 1 ? "[" : ", [");
    append_string(out, lines[i].first);
    out.append(", ");
    append_string(out, redacted ? std::string_view(*redacted) : value);
    out.push_back(']');
  }
  out.push_back(']');
  return out;
}

}  // namespace leash::audit
