// Where an existing log stands: its last whole line, what is torn behind it, and how the chain goes
// on.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "audit/chain.h"
#include "base/error.h"

namespace leash::audit {

struct LogTail {
  // Behind the last whole line. From here to the end of the file there is no line: a piece that a
  // crash or a full disk left.
  std::uint64_t end = 0;
  std::uint64_t torn_bytes = 0;
  std::string torn_start;  // at most kTornShown bytes
  // The piece begins as our lines do (or is all NUL, which a power loss leaves), so that it may be
  // cut off. Whatever else it is, it is not ours to remove.
  bool is_ours = false;
  bool is_ended = true;  // the file ends with an end of line

  // The last chained line; 0 and zeros where there is none (a log of the original).
  std::uint64_t seq = 0;
  ChainValue chain{};
  // Chain values of the lines behind the last checkpoint, up to that last line; as far as the look
  // back went, without a gap.
  std::vector<ChainValue> unsigned_lines;
};

inline constexpr std::size_t kTornShown = 200;

// Reads up to `size` bytes at `offset`; the count, 0 at the end, or -errno.
using ReadAt = std::function<std::int64_t(char* to, std::size_t size, std::uint64_t offset)>;

// Looks back from the end of a file of `size` bytes, 64 MiB at most (lines may hold megabytes of
// bodies). Errors: io.
[[nodiscard]] base::Result<LogTail> read_tail(const ReadAt& read_at, std::uint64_t size);

// A line that carries a signature, told by its first bytes.
[[nodiscard]] bool is_checkpoint(std::string_view line);

}  // namespace leash::audit
