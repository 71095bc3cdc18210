// The public keys that checkpoints are checked with.
#pragma once

#include <string>
#include <vector>

#include "ctl/context.h"
#include "tls/signing_key.h"

namespace leash::ctl {

// Of the PEM files `paths`. Errors: io, bad_key_file, with the file's name.
[[nodiscard]] base::Result<std::vector<tls::PublicKey>> read_keys(
    const std::vector<std::string>& paths);

// The same; without `paths`, of the public half that leash wrote into the CA directory. Errors
// besides: bad_config (see Context::settings).
[[nodiscard]] base::Result<std::vector<tls::PublicKey>> read_keys_or_own(
    const Context& context, const std::vector<std::string>& paths);

}  // namespace leash::ctl
