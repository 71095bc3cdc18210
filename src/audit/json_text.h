// Text of JSON in the layout of the original's log: ", " and ": " as separators, ASCII only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace leash::audit {

// A quoted string as Python's json.dumps writes it. Bytes that are not UTF-8 (RFC 3629) become one
// \udcXX each, as Python's surrogateescape has it, so that the bytes can be had back.
void append_string(std::string& out, std::string_view bytes);
// Python's repr of a float: the shortest text that reads back as the same value. Not for NaN and
// infinity, which JSON has no word for.
void append_double(std::string& out, double value);
void append_number(std::string& out, std::uint64_t value);
void append_number(std::string& out, std::int64_t value);

// `, "key": `, put together by the compiler. The key is one of ours: nothing in it needs an escape.
class Key {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): a literal is a key.
  consteval Key(std::string_view name) {
    for (const std::string_view part : {std::string_view(", \""), name, std::string_view("\": ")}) {
      for (const char c : part) text_[size_++] = c;
    }
  }
  consteval Key(const char* name) : Key(std::string_view(name)) {}  // NOLINT: likewise
  [[nodiscard]] constexpr std::string_view text() const { return {text_.data(), size_}; }

 private:
  std::array<char, 32> text_{};
  std::size_t size_ = 0;
};
inline void append_key(std::string& out, const Key& key) { out.append(key.text()); }
// The same for a name that is known only now.
void append_named_key(std::string& out, std::string_view name);

}  // namespace leash::audit
