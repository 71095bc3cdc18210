// Text of JSON in the layout of the original's log: ", " and ": " as separators, ASCII only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace leash::audit {

// A quoted string as Python's json.dumps writes it. Bytes that are not UTF-8 (RFC 3629) become one
// \udcXX each, as Python's surrogateescape has it, so that the bytes can be had back.
void append_string(std::string& out, std::string_view bytes);
// Python's repr of a float: the shortest text that reads back as the same value. Not for NaN and
// infinity, which JSON has no word for.
void append_double(std::string& out, double value);
void append_number(std::string& out, std::uint64_t value);
void append_number(std::string& out, std::int64_t value);

// `, "key": `. The key is one of ours: nothing in it needs an escape.
void append_key(std::string& out, std::string_view key);

}  // namespace leash::audit
