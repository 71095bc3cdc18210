// The chunked coding (RFC 9112 s. 7.1), read strictly.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "base/error.h"
#include "http/head_buffer.h"
#include "http/message.h"

namespace leash::http {

using BodyEvent = std::variant<BodyBytes, MessageEnd>;

// Sizes are 1 to 16 hex digits and nothing else on the line: chunk extensions have no user but
// smugglers. Trailers are bounded like a head and lose what RFC 9110 s. 6.5.1 forbids.
class ChunkReader {
 public:
  ChunkReader(const Limits& limits, base::Fault fault)
      : trailers_(limits.head_bytes, fault), max_fields_(limits.fields), fault_(fault) {}

  // Consumes from the front of `in` until one event is complete; nullopt: `in` is used up. Not to
  // be called after MessageEnd. Errors: bad_chunk, bad_line_end (LF without CR after a size),
  // bad_trailer, head_too_large, too_many_fields.
  [[nodiscard]] base::Result<std::optional<BodyEvent>> next(std::string_view& in);

 private:
  enum class State { kSize, kSizeLf, kData, kDataCr, kDataLf, kTrailers };

  // Takes one byte of what stands between the data.
  [[nodiscard]] base::Result<void> take_framing(char c);
  [[nodiscard]] base::Result<void> take_size(char c);
  [[nodiscard]] base::Result<std::optional<BodyEvent>> take_trailers(std::string_view& in);

  State state_ = State::kSize;
  int digits_ = 0;
  std::uint64_t left_ = 0;  // of the size while it is read, then of the data
  HeadBuffer trailers_;
  std::size_t max_fields_;
  base::Fault fault_;
};

}  // namespace leash::http
