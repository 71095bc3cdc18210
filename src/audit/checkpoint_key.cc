#include "audit/checkpoint_key.h"

namespace leash::audit {

Sign sign_with(tls::SigningKey key) {
  return [key = std::move(key)](std::string_view bytes) {
    const tls::Signature signature = key.sign(bytes);
    return std::string(signature.begin(), signature.end());
  };
}

CheckSignature check_with(std::vector<tls::PublicKey> keys) {
  return [keys = std::move(keys)](std::string_view id, std::string_view bytes,
                                  std::string_view signature) -> std::optional<bool> {
    bool is_known = false;
    for (const tls::PublicKey& key : keys) {
      if (key.id() != id) continue;
      is_known = true;
      if (key.verifies(bytes, signature)) return true;
    }
    if (!is_known) return std::nullopt;
    return false;
  };
}

}  // namespace leash::audit
