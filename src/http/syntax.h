// The character classes and the list syntax of RFC 9110 s. 5.6, as table look-ups.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace leash::http {

// One look-up a byte, made at compile time from a predicate.
template <class Predicate>
constexpr std::array<bool, 256> byte_table(Predicate is_in) {
  std::array<bool, 256> table{};
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = is_in(static_cast<unsigned>(i));
  return table;
}

// tchar (RFC 9110 s. 5.6.2).
inline constexpr auto kTokenBytes = byte_table([](unsigned c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         (c < 0x80 && c != 0 &&
          std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos);
});

// field-vchar, SP, HTAB (RFC 9110 s. 5.5), with obs-text.
inline constexpr auto kValueBytes =
    byte_table([](unsigned c) { return c == '\t' || (c >= 0x20 && c != 0x7f); });

// What a request target may be made of: VCHAR. More than RFC 3986 allows (clients do send "|" and
// "{"), but nothing that could end the target or the line.
inline constexpr auto kTargetBytes = byte_table([](unsigned c) { return c > 0x20 && c < 0x7f; });

[[nodiscard]] constexpr bool is_in(const std::array<bool, 256>& table, char c) {
  return table[static_cast<unsigned char>(c)];
}

[[nodiscard]] constexpr bool consists_of(const std::array<bool, 256>& table,
                                         std::string_view text) {
  return std::all_of(text.begin(), text.end(), [&table](char c) { return is_in(table, c); });
}

[[nodiscard]] constexpr bool is_token(std::string_view text) {
  return !text.empty() && consists_of(kTokenBytes, text);
}

// OWS off both ends (RFC 9110 s. 5.6.3): SP and HTAB, nothing else.
[[nodiscard]] constexpr std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Calls `use` with each element of a comma-separated list (RFC 9110 s. 5.6.1), blanks removed,
// empty ones left out. For lists of tokens: quoted strings are not understood.
template <class Use>
void for_each_element(std::string_view list, Use use) {
  for (;;) {
    const auto comma = list.find(',');
    const std::string_view element = trim_blanks(list.substr(0, comma));
    if (!element.empty()) use(element);
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace leash::http
