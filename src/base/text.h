// Small operations on ASCII text that several folders need.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace leash::base {

// ASCII only, whatever the locale.
[[nodiscard]] std::string lower(std::string_view text);
[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b);
[[nodiscard]] std::string_view trim(std::string_view text);  // blanks, tabs, CR, LF

// Decimal digits only, all of `text`, no sign, at most `max`.
[[nodiscard]] std::optional<std::uint64_t> parse_decimal(std::string_view text,
                                                         std::uint64_t max = UINT64_MAX);
void append_hex(std::string& out, std::string_view bytes);
// strerror_r without its traps.
[[nodiscard]] std::string errno_text(int error);
// Bytes are valid UTF-8 (RFC 3629: no surrogates, no overlong forms).
[[nodiscard]] bool is_utf8(std::string_view bytes);

}  // namespace leash::base
