// Small edits of YAML text that leave everything around them as it was.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/yaml_reader.h"

namespace leash::config {

// Collects edits of one text, which must not overlap, and makes them all at once. Positions are
// those of the text as it came.
class YamlEditor {
 public:
  // `text` without byte order mark, as parse_yaml saw it; must outlive the editor.
  explicit YamlEditor(std::string_view text);

  // Lines are 1-based. `line` comes without an end; the file's own kind of line end is added. Line
  // 0 is before the first line.
  void insert_after_line(int line, const std::vector<std::string>& lines);
  void erase_lines(int first, int last);
  void replace(std::size_t begin, std::size_t end, std::string with);
  [[nodiscard]] std::string result() const;

  [[nodiscard]] int line_count() const { return static_cast<int>(starts_.size()); }
  [[nodiscard]] std::string_view line(int number) const;  // without its end; "" past the last

  struct Lines {
    int first = 0;
    int last = 0;
  };
  // The lines of one item of a block list, from its dash to the last line that is indented deeper.
  // nullopt where there is none.
  [[nodiscard]] std::optional<Lines> lines_of_item(const YamlNode& list, std::size_t index) const;

  struct Range {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  // The items of a flow list that stands on one line, and the text between its brackets.
  struct FlowList {
    Range inside;
    std::vector<Range> items;
  };
  [[nodiscard]] std::optional<FlowList> flow_list(const YamlNode& list) const;

 private:
  struct Edit {
    std::size_t begin;
    std::size_t end;
    std::string text;
  };
  [[nodiscard]] std::size_t start_of(int line) const;

  std::string_view text_;
  std::string line_end_;
  std::vector<std::size_t> starts_;
  std::vector<Edit> edits_;
};

// A scalar that reads back as `text`: plain where that is safe, else in double quotes. `text` is
// UTF-8 without control bytes.
[[nodiscard]] std::string yaml_scalar(std::string_view text);

}  // namespace leash::config
