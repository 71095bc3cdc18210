#include "http/message.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "http/syntax.h"

namespace leash::http {

using base::equals_ignoring_case;

void Fields::add(std::string name, std::string value) {
  fields_.push_back(Field{std::move(name), std::move(value)});
}

const std::string* Fields::find(std::string_view name) const {
  for (const Field& field : fields_) {
    if (equals_ignoring_case(field.name, name)) return &field.value;
  }
  return nullptr;
}

std::size_t Fields::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::count_if(fields_.begin(), fields_.end(),
                    [name](const Field& field) { return equals_ignoring_case(field.name, name); }));
}

bool Fields::has_token(std::string_view name, std::string_view token) const {
  bool is_found = false;
  for (const Field& field : fields_) {
    if (!equals_ignoring_case(field.name, name)) continue;
    for_each_element(field.value, [&](std::string_view element) {
      is_found = is_found || equals_ignoring_case(element, token);
    });
  }
  return is_found;
}

void Fields::remove(std::string_view name) {
  std::erase_if(fields_,
                [name](const Field& field) { return equals_ignoring_case(field.name, name); });
}

void Fields::set(std::string_view name, std::string value) {
  const auto is_named = [name](const Field& f) { return equals_ignoring_case(f.name, name); };
  const auto first = std::find_if(fields_.begin(), fields_.end(), is_named);
  if (first == fields_.end()) {
    add(std::string(name), std::move(value));
    return;
  }
  first->value = std::move(value);
  fields_.erase(std::remove_if(first + 1, fields_.end(), is_named), fields_.end());
}

}  // namespace leash::http
