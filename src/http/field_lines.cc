#include "http/field_lines.h"

#include "http/syntax.h"

namespace leash::http {
namespace {

constexpr std::size_t kUsualFields = 16;

}  // namespace

std::string_view take_line(std::string_view& section) {
  const auto lf = section.find('\n');
  const std::string_view line = section.substr(0, lf - 1);
  section.remove_prefix(lf + 1);
  return line;
}

base::Result<Fields> parse_field_lines(std::string_view section, std::size_t max_fields,
                                       base::Fault fault) {
  using base::Code;
  Fields fields;
  for (;;) {
    const std::string_view line = take_line(section);
    if (line.empty()) return fields;
    if (line.front() == ' ' || line.front() == '\t') return base::fail(Code::kObsFold, fault);
    if (fields.size() == max_fields) return base::fail(Code::kTooManyFields, fault);
    if (fields.empty()) fields.all().reserve(kUsualFields);
    const auto colon = line.find(':');
    const std::string_view name = line.substr(0, colon);
    if (colon == std::string_view::npos || !is_token(name)) {
      return base::fail(Code::kBadFieldName, fault);
    }
    const std::string_view value = trim_blanks(line.substr(colon + 1));
    if (!consists_of(kValueBytes, value)) {
      const bool has_cr = value.find('\r') != std::string_view::npos;
      return base::fail(has_cr ? Code::kBadLineEnd : Code::kBadFieldValue, fault);
    }
    fields.add(std::string(name), std::string(value));
  }
}

}  // namespace leash::http
