// A checkpoint that is kept elsewhere: it shows later whether the log up to it is still as it was.
//
// A witness is one line of JSON:
//   {"format": "leash audit witness v1", "checkpoint": "<line of the log>", "public_key": "<PEM>"}
// or the checkpoint's line itself, as a copy of the log has it. What the signature in that line
// covers vouches for the lines `first` to `last`; the last of them commits to every line before it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "audit/checkpoint.h"
#include "base/error.h"

namespace leash::audit {

struct Witness {
  std::string line;  // the checkpoint's, without its end of line
  std::uint64_t seq = 0;
  ChainValue chain{};
  double ts = 0;  // Unix seconds
  Checkpoint checkpoint;
  std::string public_key;  // PEM, as the witness says; empty where it is the bare line
  std::string source;      // where it was read, for messages
};

// Without an end of line. `line` must be a checkpoint's.
[[nodiscard]] std::string render_witness(std::string_view line, std::string_view public_key);

// One witness; blanks around it do not matter. The signature is not looked at. Errors: bad_syntax.
[[nodiscard]] base::Result<Witness> parse_witness(std::string_view text);

// A file's text: one witness a line, empty lines and lines that begin with '#' aside, 100 000 at
// most. `name` is for `source` ("NAME:LINE"). Errors: bad_syntax, also where there is none.
[[nodiscard]] base::Result<std::vector<Witness>> parse_witnesses(std::string_view text,
                                                                 const std::string& name);

}  // namespace leash::audit
