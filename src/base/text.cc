#include "base/text.h"

#include <array>
#include <charconv>
#include <cstring>

namespace leash::base {
namespace {

char lower_char(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// strerror_r comes in two kinds, told apart by what they return.
[[maybe_unused]] const char* strerror_result(int, const char* buffer) { return buffer; }
[[maybe_unused]] const char* strerror_result(const char* result, const char*) { return result; }

// How many bytes at the start of `bytes` are ASCII. Most text is: so it is looked at in blocks,
// whose bytes the compiler takes many at a time.
std::size_t ascii_length(std::string_view bytes) {
  constexpr std::size_t kBlock = 64;
  std::size_t end = 0;
  while (end + kBlock <= bytes.size()) {
    unsigned char seen = 0;
    for (std::size_t i = 0; i < kBlock; ++i) {
      seen = static_cast<unsigned char>(seen | static_cast<unsigned char>(bytes[end + i]));
    }
    if (seen >= 0x80) break;
    end += kBlock;
  }
  while (end < bytes.size() && static_cast<unsigned char>(bytes[end]) < 0x80) ++end;
  return end;
}

}  // namespace

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower_char(c);
  return out;
}

bool has_same_letters(const char* a, const char* b, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    if (a[i] != b[i] && lower_char(a[i]) != lower_char(b[i])) return false;
  }
  return true;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::optional<std::uint64_t> parse_decimal(std::string_view text, std::uint64_t max) {
  if (text.empty()) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (UINT64_MAX - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  if (value > max) return std::nullopt;
  return value;
}

void append_decimal(std::string& out, std::uint64_t value) {
  std::array<char, 20> digits;
  out.append(digits.data(), std::to_chars(digits.begin(), digits.end(), value).ptr);
}

void append_hex(std::string& out, std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  const std::size_t begin = out.size();
  out.resize(begin + 2 * bytes.size());
  char* at = out.data() + begin;  // not through `out`, which each of the bytes written might alias
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    *at++ = kDigits[byte >> 4];
    *at++ = kDigits[byte & 15];
  }
}

std::string errno_text(int error) {
  char buffer[128] = "";
  return strerror_result(::strerror_r(error, buffer, sizeof buffer), buffer);
}

bool is_utf8(std::string_view bytes) {
  std::size_t i = 0;
  const auto at = [&](std::size_t k) { return static_cast<unsigned char>(bytes[k]); };
  while (i < bytes.size()) {
    const unsigned lead = at(i);
    if (lead < 0x80) {
      i += ascii_length(bytes.substr(i));
      continue;
    }
    std::size_t length = 0;
    unsigned low = 0x80;
    unsigned high = 0xbf;  // bounds of the second byte (Unicode table 3-7)
    if (lead >= 0xc2 && lead <= 0xdf) {
      length = 2;
    } else if (lead >= 0xe0 && lead <= 0xef) {
      length = 3;
      if (lead == 0xe0) low = 0xa0;
      if (lead == 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      length = 4;
      if (lead == 0xf0) low = 0x90;
      if (lead == 0xf4) high = 0x8f;
    } else {
      return false;
    }
    if (bytes.size() - i < length) return false;
    if (at(i + 1) < low || at(i + 1) > high) return false;
    for (std::size_t k = 2; k < length; ++k) {
      if (at(i + k) < 0x80 || at(i + k) > 0xbf) return false;
    }
    i += length;
  }
  return true;
}

}  // namespace leash::base
