// A proof that somebody hands over. No signature is right here but that of the seeds, so nothing
// else may be proven.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "audit/proof.h"
#include "tls/digest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace leash;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto fair = audit::check_proof(
      text, [](std::string_view, std::string_view bytes, std::string_view signature) {
        return std::optional<bool>(signature == tls::hex(tls::sha256("secret", bytes)));
      });
  if (fair && fair->lines.size() != fair->seqs.size()) std::abort();
  // Signatures that are all right reach the code behind them.
  (void)audit::check_proof(text, [](auto...) { return std::optional<bool>(true); });
  return 0;
}
