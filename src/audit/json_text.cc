#include "audit/json_text.h"

#include <array>
#include <charconv>
#include <cmath>

namespace leash::audit {
namespace {

constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (unsigned c = 0x20; c < 0x7f; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

void append_escape(std::string& out, unsigned unit) {
  constexpr char kDigits[] = "0123456789abcdef";
  const char text[6] = {'\\',
                        'u',
                        kDigits[unit >> 12 & 15],
                        kDigits[unit >> 8 & 15],
                        kDigits[unit >> 4 & 15],
                        kDigits[unit & 15]};
  out.append(text, sizeof text);
}

// Length of the UTF-8 sequence at the start of `bytes` and its code point; length 0: none.
struct CodePoint {
  std::size_t length = 0;
  std::uint32_t value = 0;
};

CodePoint decode(std::string_view bytes) {
  const auto at = [&](std::size_t i) {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U;
  };
  const auto follows = [&](std::size_t i) { return (at(i) & 0xc0) == 0x80; };
  const std::uint32_t lead = at(0);
  if (lead >= 0xc2 && lead <= 0xdf && follows(1)) {
    return {2, (lead & 0x1f) << 6 | (at(1) & 0x3f)};
  }
  if (lead >= 0xe0 && lead <= 0xef && follows(1) && follows(2)) {
    const std::uint32_t value = (lead & 0x0f) << 12 | (at(1) & 0x3f) << 6 | (at(2) & 0x3f);
    if (value >= 0x800 && (value < 0xd800 || value > 0xdfff)) return {3, value};
  }
  if (lead >= 0xf0 && lead <= 0xf4 && follows(1) && follows(2) && follows(3)) {
    const std::uint32_t value =
        (lead & 0x07) << 18 | (at(1) & 0x3f) << 12 | (at(2) & 0x3f) << 6 | (at(3) & 0x3f);
    if (value >= 0x10000 && value <= 0x10ffff) return {4, value};
  }
  return {};
}

// Appends one character that is not plain; returns how many bytes it had.
std::size_t append_special(std::string& out, std::string_view bytes) {
  const auto first = static_cast<unsigned char>(bytes[0]);
  switch (first) {
    case '"':
      out.append("\\\"");
      return 1;
    case '\\':
      out.append("\\\\");
      return 1;
    case '\n':
      out.append("\\n");
      return 1;
    case '\r':
      out.append("\\r");
      return 1;
    case '\t':
      out.append("\\t");
      return 1;
    case '\b':
      out.append("\\b");
      return 1;
    case '\f':
      out.append("\\f");
      return 1;
    default:
      break;
  }
  if (first < 0x80) {
    append_escape(out, first);
    return 1;
  }
  const CodePoint point = decode(bytes);
  if (point.length == 0) {
    append_escape(out, 0xdc00U + first);
    return 1;
  }
  if (point.value < 0x10000) {
    append_escape(out, point.value);
  } else {
    append_escape(out, 0xd800U + ((point.value - 0x10000) >> 10));
    append_escape(out, 0xdc00U + ((point.value - 0x10000) & 0x3ff));
  }
  return point.length;
}

}  // namespace

void append_string(std::string& out, std::string_view bytes) {
  out.push_back('"');
  std::size_t i = 0;
  while (i < bytes.size()) {
    std::size_t end = i;
    while (end < bytes.size() && kPlain[static_cast<unsigned char>(bytes[end])]) ++end;
    out.append(bytes.substr(i, end - i));
    i = end;
    if (i < bytes.size()) i += append_special(out, bytes.substr(i));
  }
  out.push_back('"');
}

void append_double(std::string& out, double value) {
  // Python leaves the fixed form below 1e-4 and from 1e16 on.
  const double size = std::fabs(value);
  const bool is_fixed = size == 0 || (size >= 1e-4 && size < 1e16);
  std::array<char, 64> text;
  const auto result =
      std::to_chars(text.data(), text.data() + text.size(), value,
                    is_fixed ? std::chars_format::fixed : std::chars_format::scientific);
  const std::string_view digits(text.data(), static_cast<std::size_t>(result.ptr - text.data()));
  out.append(digits);
  if (is_fixed && digits.find('.') == std::string_view::npos) out.append(".0");
}

void append_number(std::string& out, std::uint64_t value) {
  std::array<char, 24> text;
  out.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr);
}

void append_number(std::string& out, std::int64_t value) {
  std::array<char, 24> text;
  out.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr);
}

void append_key(std::string& out, std::string_view key) {
  out.append(", \"").append(key).append("\": ");
}

}  // namespace leash::audit
