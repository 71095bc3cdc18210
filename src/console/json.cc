#include "console/json.h"

#include <rapidjson/document.h>

#include <cmath>

#include "audit/json_text.h"

namespace leash::console {

JsonWriter& JsonWriter::begin_object() {
  before_value();
  out_ += '{';
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  out_ += '}';
  needs_comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::begin_array() {
  before_value();
  out_ += '[';
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  out_ += ']';
  needs_comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  if (needs_comma_) out_ += ',';
  audit::append_string(out_, name);
  out_ += ':';
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::text(std::string_view value) {
  before_value();
  audit::append_string(out_, value);
  return *this;
}

JsonWriter& JsonWriter::number(std::int64_t value) {
  before_value();
  audit::append_number(out_, value);
  return *this;
}

JsonWriter& JsonWriter::number(std::uint64_t value) {
  before_value();
  audit::append_number(out_, value);
  return *this;
}

JsonWriter& JsonWriter::real(double value) {
  if (!std::isfinite(value)) return null();
  before_value();
  audit::append_double(out_, value);
  return *this;
}

JsonWriter& JsonWriter::boolean(bool value) {
  before_value();
  out_ += value ? "true" : "false";
  return *this;
}

JsonWriter& JsonWriter::null() {
  before_value();
  out_ += "null";
  return *this;
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  before_value();
  out_ += json;
  return *this;
}

std::string JsonWriter::take() {
  needs_comma_ = false;
  return std::move(out_);
}

void JsonWriter::before_value() {
  if (needs_comma_) out_ += ',';
  needs_comma_ = true;
}

// --- reading -----------------------------------------------------------------------------------

namespace {

constexpr std::size_t kMostLevels = 32;

// RapidJSON's iterative parser takes any depth, its destructor and our reader do not.
bool is_too_deep(std::string_view text) {
  std::size_t level = 0;
  bool is_in_text = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (is_in_text) {
      if (c == '\\') ++i;
      is_in_text = c != '"';
    } else if (c == '"') {
      is_in_text = true;
    } else if (c == '[' || c == '{') {
      if (++level > kMostLevels) return true;
    } else if ((c == ']' || c == '}') && level > 0) {
      --level;
    }
  }
  return false;
}

const rapidjson::Value& value_at(const void* at) {
  return *static_cast<const rapidjson::Value*>(at);
}

const rapidjson::Value* find(const void* at, std::string_view key) {
  const rapidjson::Value& value = value_at(at);
  if (!value.IsObject()) return nullptr;
  const rapidjson::Value name(
      rapidjson::StringRef(key.data(), static_cast<rapidjson::SizeType>(key.size())));
  const auto found = value.FindMember(name);
  return found == value.MemberEnd() ? nullptr : &found->value;
}

std::optional<std::string> text_of(const rapidjson::Value* value) {
  if (value == nullptr || !value->IsString()) return std::nullopt;
  return std::string(value->GetString(), value->GetStringLength());
}

std::optional<std::int64_t> integer_of(const rapidjson::Value* value) {
  if (value == nullptr || !value->IsInt64()) return std::nullopt;
  return value->GetInt64();
}

}  // namespace

struct JsonValue::Tree {
  rapidjson::Document document;
};

JsonValue::JsonValue(std::shared_ptr<const Tree> tree, const void* at)
    : tree_(std::move(tree)), at_(at) {}
JsonValue::JsonValue(JsonValue&&) noexcept = default;
JsonValue& JsonValue::operator=(JsonValue&&) noexcept = default;
JsonValue::~JsonValue() = default;

std::optional<JsonValue> JsonValue::parse(std::string_view text) {
  if (is_too_deep(text)) return std::nullopt;
  auto tree = std::make_shared<Tree>();
  tree->document.Parse<rapidjson::kParseValidateEncodingFlag | rapidjson::kParseIterativeFlag>(
      text.data(), text.size());
  if (tree->document.HasParseError()) return std::nullopt;
  const rapidjson::Value* root = &tree->document;
  return JsonValue(std::move(tree), root);
}

bool JsonValue::is_object() const { return value_at(at_).IsObject(); }
bool JsonValue::is_array() const { return value_at(at_).IsArray(); }
bool JsonValue::has(std::string_view key) const { return find(at_, key) != nullptr; }

std::optional<std::string> JsonValue::text(std::string_view key) const {
  return text_of(find(at_, key));
}

std::optional<std::int64_t> JsonValue::integer(std::string_view key) const {
  return integer_of(find(at_, key));
}

std::optional<JsonValue> JsonValue::member(std::string_view key) const {
  const rapidjson::Value* value = find(at_, key);
  if (value == nullptr) return std::nullopt;
  return JsonValue(tree_, value);
}

std::vector<JsonValue> JsonValue::items() const {
  std::vector<JsonValue> out;
  if (!is_array()) return out;
  for (const rapidjson::Value& item : value_at(at_).GetArray()) {
    out.push_back(JsonValue(tree_, &item));
  }
  return out;
}

std::optional<std::string> JsonValue::as_text() const { return text_of(&value_at(at_)); }
std::optional<std::int64_t> JsonValue::as_integer() const { return integer_of(&value_at(at_)); }

std::vector<std::string> JsonValue::keys() const {
  std::vector<std::string> out;
  if (!is_object()) return out;
  for (const auto& member : value_at(at_).GetObject()) {
    out.emplace_back(member.name.GetString(), member.name.GetStringLength());
  }
  return out;
}

}  // namespace leash::console
