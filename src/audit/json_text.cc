#include "audit/json_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace leash::audit {
namespace {

constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (unsigned c = 0x20; c < 0x7f; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

constexpr std::size_t kBlock = 64;

// Whether one of eight bytes may not be plain; false for eight that are. Bytes of a word are
// compared all at once: the high bit of each says what was found there.
bool has_special(const char* bytes) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighs = 0x8080808080808080;
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  const auto has_zero = [](std::uint64_t w) { return (w - kOnes) & ~w; };
  const std::uint64_t controls = (word - kOnes * 0x20) & ~word;
  const std::uint64_t from_delete = word | (word + kOnes);
  return ((controls | from_delete | has_zero(word ^ kOnes * '"') | has_zero(word ^ kOnes * '\\')) &
          kHighs) != 0;
}

// The same of 64 bytes; written so that the compiler takes many at a time.
bool has_special_in_block(const char* bytes) {
  unsigned char found = 0;
  for (std::size_t i = 0; i < kBlock; ++i) {
    const auto c = static_cast<unsigned char>(bytes[i]);
    const bool is_special = static_cast<unsigned char>(c - 0x20) > 0x7e - 0x20;
    found = static_cast<unsigned char>(found | is_special | (c == '"') | (c == '\\'));
  }
  return found != 0;
}

// How many bytes at the start of `bytes` need no escape.
std::size_t plain_length(std::string_view bytes) {
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  const char* const begin = bytes.data();
  std::size_t end = 0;
  // Short pieces between two escapes, as JSON has them, are found without looking at a block.
  while (end + kWord <= bytes.size() && !has_special(begin + end)) {
    end += kWord;
    if (end % kBlock != 0) continue;
    while (end + kBlock <= bytes.size() && !has_special_in_block(begin + end)) end += kBlock;
  }
  const bool is_near_end = end + kWord > bytes.size();
  if (is_near_end && end > 0 && !has_special(begin + bytes.size() - kWord)) return bytes.size();
  while (end < bytes.size() && kPlain[static_cast<unsigned char>(bytes[end])]) ++end;
  return end;
}

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
  while (!bytes.empty()) {
    const std::size_t plain = plain_length(bytes);
    out.append(bytes.substr(0, plain));
    bytes.remove_prefix(plain);
    if (!bytes.empty()) bytes.remove_prefix(append_special(out, bytes));
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

void append_named_key(std::string& out, std::string_view name) {
  out.append(", \"").append(name).append("\": ");
}

}  // namespace leash::audit
