// Inclusion proofs: that the lines of one request stood in a signed log, for somebody who does not
// get the log.
//
// A proof is one JSON document:
//   {"format": "leash audit proof v1", "id": "...",
//    "checkpoints": ["<line of the log>", ...],
//    "lines": [{"line": "<line of the log>", "previous": "<chain value of the line before>",
//               "checkpoint": <index above>, "path": ["<digest>", ...]}, ...]}
// It proves that these lines were written, and in which order; not that there were no others.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/checkpoint.h"
#include "base/error.h"

namespace leash::audit {

struct ProofMade {
  std::string json;
  std::uint64_t lines = 0;
  std::uint64_t unsigned_lines = 0;  // of this id, but behind the last checkpoint: not in the proof
};
// Looks for the lines whose `id` is `id` in `paths`, read as one log, the oldest first. The chain
// is not verified on the way (see verifier.h). Errors: io and those of LogReader; bad_syntax where
// there is no such line, or none that a checkpoint covers.
[[nodiscard]] base::Result<ProofMade> prove(const std::vector<std::string>& paths,
                                            std::string_view id);

struct Proven {
  std::string id;
  std::vector<std::string> lines;  // as they stand in the log, in its order
  std::vector<std::uint64_t> seqs;
  std::vector<std::string> keys;  // of the checkpoints
};
// `json` may be a stranger's: at most 256 MiB. Errors: bad_syntax (not such a document),
// bad_encoding (it does not prove what it says; the detail tells which line).
[[nodiscard]] base::Result<Proven> check_proof(std::string_view json, const CheckSignature& check);

}  // namespace leash::audit
