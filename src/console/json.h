// JSON for the console's answers and of the bodies it is sent.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leash::console {

// Writes compact JSON in ASCII whatever it is given: what is not ASCII is escaped, bytes that are
// not UTF-8 come as \udcXX, as in the log, and there is never a line break in it.
class JsonWriter {
 public:
  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);
  JsonWriter& text(std::string_view value);
  JsonWriter& number(std::int64_t value);
  JsonWriter& number(std::uint64_t value);
  JsonWriter& real(double value);
  JsonWriter& boolean(bool value);
  JsonWriter& null();
  // A value that is JSON already.
  JsonWriter& raw(std::string_view json);

  // The text so far, which leaves the writer.
  [[nodiscard]] std::string take();
  [[nodiscard]] std::size_t size() const { return out_.size(); }

 private:
  void before_value();
  std::string out_;
  bool needs_comma_ = false;
};

// A parsed body.
class JsonValue {
 public:
  // Strict RFC 8259, at most 32 levels; nullopt for anything else.
  [[nodiscard]] static std::optional<JsonValue> parse(std::string_view text);
  JsonValue(JsonValue&&) noexcept;
  JsonValue& operator=(JsonValue&&) noexcept;
  ~JsonValue();
  JsonValue(const JsonValue&) = delete;
  JsonValue& operator=(const JsonValue&) = delete;

  [[nodiscard]] bool is_object() const;
  [[nodiscard]] bool is_array() const;
  // A member of an object, an item of an array; nullopt: there is none, or it is of another type.
  [[nodiscard]] bool has(std::string_view key) const;
  [[nodiscard]] std::optional<std::string> text(std::string_view key) const;
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view key) const;
  [[nodiscard]] std::optional<JsonValue> member(std::string_view key) const;
  [[nodiscard]] std::vector<JsonValue> items() const;
  // This value where it is a text, or a whole number.
  [[nodiscard]] std::optional<std::string> as_text() const;
  [[nodiscard]] std::optional<std::int64_t> as_integer() const;
  [[nodiscard]] std::vector<std::string> keys() const;

 private:
  struct Tree;
  JsonValue(std::shared_ptr<const Tree> tree, const void* at);
  std::shared_ptr<const Tree> tree_;
  const void* at_ = nullptr;
};

}  // namespace leash::console
