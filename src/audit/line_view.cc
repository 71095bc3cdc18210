#include "audit/line_view.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace leash::audit {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<unsigned> hex_unit(std::string_view digits) {
  if (digits.size() < 4) return std::nullopt;
  unsigned unit = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const int value = hex_value(digits[i]);
    if (value < 0) return std::nullopt;
    unit = unit << 4 | static_cast<unsigned>(value);
  }
  return unit;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Walks over JSON values; each function leaves `at_` behind what it read and says whether it was
// there.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  [[nodiscard]] std::size_t at() const { return at_; }
  [[nodiscard]] bool is_done() const { return at_ == text_.size(); }
  [[nodiscard]] std::string_view since(std::size_t start) const {
    return text_.substr(start, at_ - start);
  }

  void blanks() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r' || text_[at_] == '\n')) {
      ++at_;
    }
  }

  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool string() {
    if (!take('"')) return false;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c == '\\' && !escape()) return false;
    }
    return false;
  }

  bool value() {
    if (at_ >= text_.size()) return false;
    switch (text_[at_]) {
      case '"':
        return string();
      case '{':
      case '[':
        return nested();
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        return number();
    }
  }

 private:
  bool escape() {
    if (at_ >= text_.size()) return false;
    const char c = text_[at_++];
    if (c != 'u') return std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
    if (!hex_unit(text_.substr(at_))) return false;
    at_ += 4;
    return true;
  }

  bool word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return false;
    at_ += expected.size();
    return true;
  }

  bool digits() {
    const std::size_t start = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    return at_ > start;
  }

  bool number() {
    (void)take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) (void)take('-');
      return digits();
    }
    return true;
  }

  // An array or object with all that is in it; a stack of brackets, not recursion: the text may be
  // a stranger's.
  bool nested() {
    constexpr std::size_t kMaxDepth = 64;
    std::string open;
    bool wants_value = true;  // false: after a value, a comma or a closing bracket comes
    bool may_close = true;    // right after an opening bracket
    do {
      blanks();
      if (at_ >= text_.size()) return false;
      const char c = text_[at_];
      if ((c == ']' || c == '}') && (!wants_value || may_close)) {
        if (open.empty() || open.back() != (c == ']' ? '[' : '{')) return false;
        open.pop_back();
        ++at_;
        wants_value = may_close = false;
        continue;
      }
      if (!wants_value) {
        if (!take(',')) return false;
        wants_value = true;
        may_close = false;
        continue;
      }
      if (!open.empty() && open.back() == '{') {
        if (!string()) return false;
        blanks();
        if (!take(':')) return false;
        blanks();
        if (at_ >= text_.size()) return false;
      }
      may_close = false;
      if (text_[at_] == '[' || text_[at_] == '{') {
        if (open.size() == kMaxDepth) return false;
        open.push_back(text_[at_++]);
        wants_value = may_close = true;
        continue;
      }
      if (!value()) return false;
      wants_value = false;
    } while (!open.empty());
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

void append_utf8(std::string& out, std::uint32_t point) {
  const auto push = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (point < 0x80) {
    push(point);
  } else if (point < 0x800) {
    push(0xc0 | point >> 6);
    push(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    push(0xe0 | point >> 12);
    push(0x80 | (point >> 6 & 0x3f));
    push(0x80 | (point & 0x3f));
  } else {
    push(0xf0 | point >> 18);
    push(0x80 | (point >> 12 & 0x3f));
    push(0x80 | (point >> 6 & 0x3f));
    push(0x80 | (point & 0x3f));
  }
}

// Appends what \uXXXX at the start of `text` (behind the \u) stands for; returns how much was read.
std::size_t append_unit(std::string& out, std::string_view text) {
  const unsigned unit = hex_unit(text).value_or(0xfffd);
  if (unit >= 0xd800 && unit <= 0xdbff && text.substr(4, 2) == "\\u") {
    const unsigned low = hex_unit(text.substr(6)).value_or(0);
    if (low >= 0xdc00 && low <= 0xdfff) {
      append_utf8(out, 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
      return 10;
    }
  }
  if (unit >= 0xdc80 && unit <= 0xdcff) {
    out.push_back(static_cast<char>(unit - 0xdc00));
  } else {
    append_utf8(out, unit >= 0xd800 && unit <= 0xdfff ? 0xfffd : unit);
  }
  return 4;
}

}  // namespace

std::optional<std::string> unescape(std::string_view quoted) {
  Scanner scanner(quoted);
  if (!scanner.string() || !scanner.is_done()) return std::nullopt;
  const std::string_view text = quoted.substr(1, quoted.size() - 2);
  std::string out;
  out.reserve(text.size());
  std::size_t i = 0;
  while (i < text.size()) {
    const std::size_t slash = std::min(text.find('\\', i), text.size());
    out.append(text.substr(i, slash - i));
    i = slash;
    if (i >= text.size()) break;
    const char c = text[i + 1];
    i += 2;
    switch (c) {
      case 'b':
        out.push_back('\b');
        break;
      case 'f':
        out.push_back('\f');
        break;
      case 'n':
        out.push_back('\n');
        break;
      case 'r':
        out.push_back('\r');
        break;
      case 't':
        out.push_back('\t');
        break;
      case 'u':
        i += append_unit(out, text.substr(i));
        break;
      default:
        out.push_back(c);
        break;
    }
  }
  return out;
}

std::optional<LineView> LineView::parse(std::string_view line) {
  LineView view;
  Scanner scanner(line);
  scanner.blanks();
  if (!scanner.take('{')) return std::nullopt;
  scanner.blanks();
  bool is_closed = scanner.take('}');
  while (!is_closed) {
    scanner.blanks();
    const std::size_t key = scanner.at();
    if (!scanner.string()) return std::nullopt;
    const std::string_view name = scanner.since(key);
    scanner.blanks();
    if (!scanner.take(':')) return std::nullopt;
    scanner.blanks();
    const std::size_t value = scanner.at();
    if (!scanner.value()) return std::nullopt;
    view.fields_.emplace_back(name.substr(1, name.size() - 2), scanner.since(value));
    scanner.blanks();
    if (scanner.take('}')) {
      is_closed = true;
    } else if (!scanner.take(',')) {
      return std::nullopt;
    }
  }
  scanner.blanks();
  if (!scanner.is_done()) return std::nullopt;
  return view;
}

std::string_view LineView::raw(std::string_view key) const {
  for (const auto& [name, value] : fields_) {
    if (name == key) return value;
  }
  return {};
}

std::optional<std::string> LineView::text(std::string_view key) const { return unescape(raw(key)); }

std::optional<double> LineView::number(std::string_view key) const {
  const std::string_view value = raw(key);
  double out = 0;
  const auto result = std::from_chars(value.data(), value.data() + value.size(), out);
  if (result.ec != std::errc() || result.ptr != value.data() + value.size()) return std::nullopt;
  return out;
}

std::optional<std::uint64_t> LineView::integer(std::string_view key) const {
  return base::parse_decimal(raw(key));
}

}  // namespace leash::audit
