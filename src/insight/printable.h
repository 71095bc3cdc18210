// The one escaper between what files say and what a terminal, a shell or a spreadsheet does with
// it.
#pragma once

#include <string>
#include <string_view>

namespace leash::insight {

enum class LineBreaks { kEscape, kKeep };

// Text that no terminal obeys: controls (C0, DEL, C1), bidirectional and invisible characters, line
// and paragraph separators and bytes that are not UTF-8 are written as \n, \t, \x1b or \u{202e}; a
// back-slash is doubled, so that the text can be read back. kKeep leaves \n and \t as they are.
[[nodiscard]] std::string printable(std::string_view bytes,
                                    LineBreaks breaks = LineBreaks::kEscape);

// At most `max` code points of `text`, which printable() gave; "…" stands for the rest.
[[nodiscard]] std::string shortened(std::string_view text, std::size_t max);

// A line of JSON in ASCII: each code point above 0x7e becomes \uXXXX, each byte that is not UTF-8
// \udcXX, each control \u00XX. The value of valid JSON stays the same, since such characters occur
// only inside its strings.
[[nodiscard]] std::string ascii_json(std::string_view line);

// One CSV cell (RFC 4180) of printable text. A text that a spreadsheet would take for a formula
// gets a leading '.
[[nodiscard]] std::string csv_cell(std::string_view text);

// One word for a POSIX shell, in single quotes where it needs them.
[[nodiscard]] std::string shell_word(std::string_view text);

}  // namespace leash::insight
