// The Ed25519 keys of tls/signing_key.h in the shape that checkpoints take.
#pragma once

#include <vector>

#include "audit/checkpoint.h"
#include "tls/signing_key.h"

namespace leash::audit {

[[nodiscard]] Sign sign_with(tls::SigningKey key);
// Knows the keys by their PublicKey::id.
[[nodiscard]] CheckSignature check_with(std::vector<tls::PublicKey> keys);

}  // namespace leash::audit
