// TLS inside TLS: one engine's plaintext is the other's ciphertext.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "tls/engine.h"

namespace leash::tls {

// `outer` is established and talks to the connection; `inner` begins a handshake inside it, with
// `first`, what `outer` has decrypted already of the peer's. The result is the inner connection:
// its session, its end (an end of the outer alone is a truncation).
[[nodiscard]] std::unique_ptr<Engine> stack_engines(std::unique_ptr<Engine> outer,
                                                    std::unique_ptr<Engine> inner,
                                                    std::string_view first);

}  // namespace leash::tls
