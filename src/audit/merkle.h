// Merkle trees as RFC 9162 s. 2.1 has them, over chain values of log lines.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "audit/chain.h"

namespace leash::audit {

// The root over `leaves` in their order (RFC 9162 s. 2.1.1); of none, the hash of nothing.
[[nodiscard]] tls::Digest merkle_root(std::span<const ChainValue> leaves);

// The audit path of leaves[index] (RFC 9162 s. 2.1.3.1), from the leaf up. `index` must be below
// leaves.size().
[[nodiscard]] std::vector<tls::Digest> merkle_path(std::span<const ChainValue> leaves,
                                                   std::size_t index);

// The root that `leaf` at `index` of `size` leaves has with `path` (RFC 9162 s. 2.1.3.2); nullopt
// where the path has the wrong length or index is not below size.
[[nodiscard]] std::optional<tls::Digest> merkle_root_from(const ChainValue& leaf,
                                                          std::uint64_t index, std::uint64_t size,
                                                          std::span<const tls::Digest> path);

}  // namespace leash::audit
