// The hash chain through the audit log: how a line is numbered and tied to the one before it.
//
//   {"ts": ..., "seq": 7, "chain": "<64 hex digits>"}
//   |<------- covered ---->|
//
// chain(n) = SHA-256(chain(n-1) as 32 raw bytes || covered bytes of line n); before the first line
// of a chain stand 32 zero bytes. seq begins with 1 and has no gaps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tls/digest.h"

namespace leash::audit {

using ChainValue = tls::Digest;

struct ChainedLine {
  std::string_view covered;  // points into the line
  std::uint64_t seq = 0;
  ChainValue chain{};
};

// `line` without its end of line. nullopt where it does not end as a chained line does; that the
// rest is JSON is not looked at.
[[nodiscard]] std::optional<ChainedLine> split_line(std::string_view line);

[[nodiscard]] ChainValue next_chain(const ChainValue& previous, std::string_view covered);

// Completes a rendered line (see render) that begins at `start` of `out` and is the last thing
// there: adds seq, chain, brace and end of line; returns the chain value.
ChainValue finish_line(std::string& out, std::size_t start, std::uint64_t seq,
                       const ChainValue& previous);

// 64 hex digits, lower case. nullopt for anything else.
[[nodiscard]] std::optional<ChainValue> parse_chain_value(std::string_view hex);

[[nodiscard]] inline std::string_view raw(const ChainValue& value) {
  return {reinterpret_cast<const char*>(value.data()), value.size()};
}

}  // namespace leash::audit
