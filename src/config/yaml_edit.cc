#include "config/yaml_edit.h"

#include <algorithm>

#include "base/text.h"

namespace leash::config {
namespace {

std::size_t indent_of(std::string_view line) {
  return std::min(line.find_first_not_of(' '), line.size());
}

bool is_blank(std::string_view line) { return base::trim(line).empty(); }

bool opens_token(char previous) {
  return previous == '[' || previous == '{' || previous == ',' || previous == ':';
}

}  // namespace

YamlEditor::YamlEditor(std::string_view text) : text_(text), line_end_("\n") {
  std::size_t begin = 0;
  while (begin < text_.size()) {
    starts_.push_back(begin);
    const auto end = text_.find('\n', begin);
    if (end == std::string_view::npos) break;
    if (starts_.size() == 1 && end > 0 && text_[end - 1] == '\r') line_end_ = "\r\n";
    begin = end + 1;
  }
}

std::size_t YamlEditor::start_of(int line) const {
  if (line <= 1) return 0;
  const auto index = static_cast<std::size_t>(line - 1);
  return index < starts_.size() ? starts_[index] : text_.size();
}

std::string_view YamlEditor::line(int number) const {
  if (number < 1 || number > line_count()) return {};
  std::string_view out = text_.substr(start_of(number), start_of(number + 1) - start_of(number));
  while (out.ends_with('\n') || out.ends_with('\r')) out.remove_suffix(1);
  return out;
}

void YamlEditor::insert_after_line(int line, const std::vector<std::string>& lines) {
  const std::size_t at = start_of(line + 1);
  std::string text;
  if (at == text_.size() && !text_.empty() && !text_.ends_with('\n')) text = line_end_;
  for (const std::string& added : lines) text.append(added).append(line_end_);
  replace(at, at, std::move(text));
}

void YamlEditor::erase_lines(int first, int last) {
  replace(start_of(first), start_of(last + 1), {});
}

void YamlEditor::replace(std::size_t begin, std::size_t end, std::string with) {
  edits_.push_back({begin, end, std::move(with)});
}

std::string YamlEditor::result() const {
  auto edits = edits_;
  std::stable_sort(edits.begin(), edits.end(),
                   [](const Edit& a, const Edit& b) { return a.begin < b.begin; });
  std::string out;
  std::size_t done = 0;
  for (const Edit& edit : edits) {
    if (edit.begin < done)
      continue;  // overlapping: the caller's check of the result will refuse it
    out.append(text_.substr(done, edit.begin - done)).append(edit.text);
    done = edit.end;
  }
  return out.append(text_.substr(done));
}

std::optional<YamlEditor::Lines> YamlEditor::lines_of_item(const YamlNode& list,
                                                           std::size_t index) const {
  if (!list.is_list() || list.is_flow || index >= list.items.size()) return std::nullopt;
  const auto column = static_cast<std::size_t>(list.column);
  // The dash may stand on a line of its own above the item.
  int first = list.items[index].line;
  const int floor = index == 0 ? list.line : list.items[index - 1].line;
  const auto is_dash = [&](std::string_view text) {
    return indent_of(text) == column && text.substr(column).starts_with('-');
  };
  while (first >= floor && !is_dash(line(first))) --first;
  if (first < floor) return std::nullopt;
  int last = first;
  for (int next = first + 1; next <= line_count(); ++next) {
    if (is_blank(line(next))) continue;
    if (indent_of(line(next)) <= column) break;
    last = next;
  }
  return Lines{first, last};
}

std::optional<YamlEditor::FlowList> YamlEditor::flow_list(const YamlNode& list) const {
  if (!list.is_list() || !list.is_flow) return std::nullopt;
  if (list.offset >= text_.size() || text_[list.offset] != '[') return std::nullopt;
  FlowList out;
  out.inside.begin = list.offset + 1;
  int depth = 0;
  char quote = 0;
  char previous = 0;  // the last byte that is no blank
  std::size_t begin = list.offset + 1;
  const auto close_item = [&](std::size_t end) {
    while (begin < end && text_[begin] == ' ') ++begin;
    while (end > begin && text_[end - 1] == ' ') --end;
    if (end > begin) out.items.push_back({begin, end});
  };
  for (std::size_t i = list.offset; i < text_.size(); ++i) {
    const char c = text_[i];
    if (c == '\n') return std::nullopt;
    if (quote != 0) {
      if (c == '\\' && quote == '"') ++i;
      if (c == quote) quote = 0;
      previous = c;
      continue;
    }
    if ((c == '"' || c == '\'') && opens_token(previous)) quote = c;
    if (c == '[' || c == '{') ++depth;
    if (c == ',' && depth == 1) {
      close_item(i);
      begin = i + 1;
    }
    if (c == ']' || c == '}') --depth;
    if (depth == 0) {
      close_item(i);
      out.inside.end = i;
      if (out.items.size() != list.items.size()) return std::nullopt;
      return out;
    }
    if (c != ' ') previous = c;
  }
  return std::nullopt;
}

std::string yaml_scalar(std::string_view text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./~%@=+-";
  constexpr std::string_view kWords[] = {"null", "true", "false", "yes", "no",
                                         "on",   "off",  "y",     "n"};
  bool is_plain = !text.empty() && text.find_first_not_of(kPlain) == std::string_view::npos;
  constexpr std::string_view kBadStart = "~%@=+-.";
  if (is_plain && kBadStart.find(text.front()) != std::string_view::npos) is_plain = false;
  for (const std::string_view word : kWords) {
    if (base::equals_ignoring_case(text, word)) is_plain = false;
  }
  if (is_plain) return std::string(text);
  std::string out("\"");
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out.append("\"");
}

}  // namespace leash::config
