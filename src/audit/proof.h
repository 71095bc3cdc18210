// Inclusion proofs: that the lines of one request stood in a signed log, for somebody who does not
// get the log.
//
// A proof is one JSON document, with these members and no others:
//   {"format": "leash audit proof v1", "id": "...", "keys": ["<PEM>", ...],
//    "checkpoints": ["<line of the log>", ...],
//    "lines": [{"line": "<line of the log>", "previous": "<chain value of the line before>",
//               "checkpoint": <index above>, "path": ["<digest>", ...]}, ...]}
// It proves that these lines were written, and in which order; not that there were no others. The
// keys are there for convenience: who must not trust the document brings his own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/checkpoint.h"
#include "base/error.h"
#include "tls/signing_key.h"

namespace leash::audit {

// Looks for the lines whose `id` is `id` in `paths`, read as one log, the oldest first, and gives
// the document. The chain is not verified on the way (see verifier.h), but a proof that does not
// hold is not given out. `keys` must have those of the checkpoints. Errors: those of LogReader;
// bad_syntax where there is no such line or a line cannot be proven, as with one that no checkpoint
// covers yet; those of check_proof.
[[nodiscard]] base::Result<std::string> prove(const std::vector<std::string>& paths,
                                              std::string_view id,
                                              const std::vector<tls::PublicKey>& keys);

struct Proven {
  std::string id;
  std::vector<std::string> lines;  // as they stand in the log, in its order
  std::vector<std::uint64_t> seqs;
  std::vector<std::string> keys;  // the checkpoints' (see PublicKey::id), each once
};
inline constexpr std::size_t kMaxProofBytes = 256 * 1024 * 1024;

// `json` may be a stranger's. An empty `check` takes the keys that the document brings. Errors:
// bad_syntax (not such a document, or a larger one), bad_encoding (it does not prove what it says;
// the detail tells which line).
[[nodiscard]] base::Result<Proven> check_proof(std::string_view json, const CheckSignature& check);

}  // namespace leash::audit
