// Small operations on ASCII text that several folders need.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace leash::base {

// ASCII only, whatever the locale.
[[nodiscard]] std::string lower(std::string_view text);
// The part of equals_ignoring_case() behind the look at the sizes, which decides nearly always.
[[nodiscard]] bool has_same_letters(const char* a, const char* b, std::size_t size);
[[nodiscard]] inline bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && has_same_letters(a.data(), b.data(), a.size());
}
[[nodiscard]] std::string_view trim(std::string_view text);  // blanks, tabs, CR, LF

// Decimal digits only, all of `text`, no sign, at most `max`.
[[nodiscard]] std::optional<std::uint64_t> parse_decimal(std::string_view text,
                                                         std::uint64_t max = UINT64_MAX);
void append_decimal(std::string& out, std::uint64_t value);
void append_hex(std::string& out, std::string_view bytes);
// strerror_r without its traps.
[[nodiscard]] std::string errno_text(int error);
// Bytes are valid UTF-8 (RFC 3629: no surrogates, no overlong forms).
[[nodiscard]] bool is_utf8(std::string_view bytes);

}  // namespace leash::base
