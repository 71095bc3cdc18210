// A file of witnesses: what is taken reads back as the same when it is written again.
#include <cstdint>
#include <cstdlib>

#include "audit/witness.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace leash::audit;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto several = parse_witnesses(text, "w");
  if (!several) return 0;
  for (const Witness& witness : *several) {
    const auto again = parse_witness(render_witness(witness.line, witness.public_key));
    const bool is_same = again && again->line == witness.line && again->seq == witness.seq &&
                         again->chain == witness.chain && again->public_key == witness.public_key &&
                         again->checkpoint.signed_bytes == witness.checkpoint.signed_bytes;
    if (!is_same) std::abort();
  }
  return 0;
}
