#include "insight/printable.h"

#include <fmt/format.h>

#include <array>
#include <iterator>

#include "base/text.h"

namespace leash::insight {
namespace {

struct Step {
  char32_t code_point = 0;
  std::size_t length = 1;
  bool is_valid = true;
};

// The first code point of `bytes`, which is not empty; an invalid sequence is one byte.
Step step(std::string_view bytes) {
  const auto lead = static_cast<unsigned char>(bytes[0]);
  if (lead < 0x80) return {lead, 1, true};
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (bytes.size() < length || !base::is_utf8(bytes.substr(0, length))) return {lead, 1, false};
  char32_t value = lead & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    value = (value << 6) | (static_cast<unsigned char>(bytes[i]) & 0x3fU);
  }
  return {value, length, true};
}

struct Span {
  char32_t first;
  char32_t last;
};

// Characters that reorder, hide or end what stands beside them (Unicode Cc, Cf, Zl, Zp and the
// fillers).
constexpr std::array kUnsafe = {
    Span{0x00, 0x1f},       Span{0x7f, 0x9f},       Span{0xad, 0xad},      Span{0x34f, 0x34f},
    Span{0x600, 0x605},     Span{0x61c, 0x61c},     Span{0x6dd, 0x6dd},    Span{0x70f, 0x70f},
    Span{0x115f, 0x1160},   Span{0x17b4, 0x17b5},   Span{0x180b, 0x180f},  Span{0x200b, 0x200f},
    Span{0x2028, 0x202e},   Span{0x2060, 0x206f},   Span{0x3164, 0x3164},  Span{0xfe00, 0xfe0f},
    Span{0xfeff, 0xfeff},   Span{0xffa0, 0xffa0},   Span{0xfff0, 0xfffb},  Span{0x110bd, 0x110bd},
    Span{0x1bca0, 0x1bca3}, Span{0x1d173, 0x1d17a}, Span{0xe0000, 0xe0fff}};

bool is_unsafe(char32_t code_point) {
  for (const Span& span : kUnsafe) {
    if (code_point < span.first) return false;
    if (code_point <= span.last) return true;
  }
  return false;
}

void append_escape(std::string& out, char32_t code_point) {
  switch (code_point) {
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  const auto value = static_cast<std::uint32_t>(code_point);
  if (value < 0x80) {
    fmt::format_to(std::back_inserter(out), "\\x{:02x}", value);
  } else {
    fmt::format_to(std::back_inserter(out), "\\u{{{:x}}}", value);
  }
}

void append_utf16(std::string& out, char32_t code_point) {
  const auto value = static_cast<std::uint32_t>(code_point);
  if (value < 0x10000) {
    fmt::format_to(std::back_inserter(out), "\\u{:04x}", value);
    return;
  }
  const std::uint32_t rest = value - 0x10000;
  fmt::format_to(std::back_inserter(out), "\\u{:04x}\\u{:04x}", 0xd800 + (rest >> 10),
                 0xdc00 + (rest & 0x3ff));
}

// What spreadsheets take for the beginning of a formula, the full-width forms too.
bool begins_formula(std::string_view text) {
  const auto start = text.find_first_not_of(" '\"");
  if (start == std::string_view::npos) return false;
  switch (step(text.substr(start)).code_point) {
    case '=':
    case '+':
    case '-':
    case '@':
    case '|':
    case '%':
    case U'\uff1d':
    case U'\uff0b':
    case U'\uff0d':
    case U'\uff20':
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string printable(std::string_view bytes, LineBreaks breaks) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const Step next = step(bytes);
    const bool is_kept_break = breaks == LineBreaks::kKeep && next.is_valid &&
                               (next.code_point == '\n' || next.code_point == '\t');
    if (!next.is_valid) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}",
                     static_cast<std::uint32_t>(next.code_point));
    } else if (next.code_point == '\\') {
      out += "\\\\";
    } else if (!is_kept_break && is_unsafe(next.code_point)) {
      append_escape(out, next.code_point);
    } else {
      out += bytes.substr(0, next.length);
    }
    bytes.remove_prefix(next.length);
  }
  return out;
}

std::string shortened(std::string_view text, std::size_t max) {
  std::size_t end = 0;
  for (std::size_t count = 0; end < text.size(); ++count) {
    if (count == max) return std::string(text.substr(0, end)) + "…";
    end += step(text.substr(end)).length;
  }
  return std::string(text);
}

std::string ascii_json(std::string_view line) {
  std::string out;
  out.reserve(line.size());
  while (!line.empty()) {
    const Step next = step(line);
    if (!next.is_valid) {
      append_utf16(out, 0xdc00 + next.code_point);
    } else if (next.code_point < 0x20 || next.code_point > 0x7e) {
      append_utf16(out, next.code_point);
    } else {
      out += line[0];
    }
    line.remove_prefix(next.length);
  }
  return out;
}

std::string csv_cell(std::string_view text) {
  std::string cell = printable(text);
  if (begins_formula(cell)) cell.insert(cell.begin(), '\'');
  if (cell.find_first_of(",;\" '") == std::string::npos) return cell;
  std::string quoted = "\"";
  for (const char c : cell) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  quoted += '"';
  return quoted;
}

std::string shell_word(std::string_view text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,@%+=";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string_view::npos) {
    return std::string(text);
  }
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  out += '\'';
  return out;
}

}  // namespace leash::insight
