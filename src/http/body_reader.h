// One message's body, of whatever framing.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "http/chunk_reader.h"
#include "http/message.h"

namespace leash::http {

class BodyReader {
 public:
  BodyReader(const Body& body, const Limits& limits, base::Fault fault)
      : framing_(body.framing), left_(body.framing == Framing::kLength ? body.length : 0) {
    if (framing_ == Framing::kChunked) chunks_.emplace(limits, fault);
  }

  // As ChunkReader::next. MessageEnd needs no further input where the length was known; until close
  // it never comes.
  [[nodiscard]] base::Result<std::optional<BodyEvent>> next(std::string_view& in);
  [[nodiscard]] bool is_until_close() const { return framing_ == Framing::kUntilClose; }

 private:
  Framing framing_;
  std::uint64_t left_;
  std::optional<ChunkReader> chunks_;
};

}  // namespace leash::http
