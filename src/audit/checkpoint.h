// Signed checkpoints: lines of the log that vouch, with an Ed25519 key, for the lines before them.
//
//   {"ts": ..., "event": "checkpoint", "first": 1, "last": 1000, "root": "<64 hex>", "key": "<id>",
//    "sig": "<base64>", "seq": 1001, "chain": "..."}
//
// `root` is the Merkle root (see merkle.h) over the chain values of the lines first to last; the
// last of them commits to every line before it. The signature is over kSignedPrefix and the bytes
// of the line up to `, "sig": "`.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "audit/chain.h"

namespace leash::audit {

inline constexpr std::string_view kSignedPrefix = "leash audit checkpoint v1\n";

// Returns the raw signature (64 bytes for Ed25519).
using Sign = std::function<std::string(std::string_view bytes)>;
// Whether `signature` (raw) by the key named `key` is right. nullopt: the key is not known.
using CheckSignature = std::function<std::optional<bool>(
    std::string_view key, std::string_view bytes, std::string_view signature)>;

// The rendered line (see finish_line) over `lines`, which must not be empty; `first` is the number
// of the first of them.
[[nodiscard]] std::string render_checkpoint(double ts, std::uint64_t first,
                                            std::span<const ChainValue> lines,
                                            std::string_view key_id, const Sign& sign);

struct Checkpoint {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  tls::Digest root{};
  std::string key;
  std::string signature;  // raw
  std::string signed_bytes;
};
// Reads the line of a checkpoint, without its end of line. nullopt where a field is missing or
// wrong, or the line is not laid out as above.
[[nodiscard]] std::optional<Checkpoint> parse_checkpoint(std::string_view line);

// Strict base64 with padding (RFC 4648 s. 4).
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);

}  // namespace leash::audit
