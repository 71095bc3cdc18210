// The signer process: has the CA's key, and signs leaves for names, nothing else.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "tls/authority_store.h"

namespace leash::signer {

// Opens the CA in `ca_dir` (and makes it at the first start), tells on each socket that it is ready
// or why it is not, gives up every right that it does not need, and answers requests until all
// sockets have ended. Returns the exit code: 0, or 2 where there is no CA to serve with.
[[nodiscard]] int serve(const std::string& ca_dir, const tls::LeafPoint& leaf_key,
                        std::vector<base::Fd> sockets);

// The answer to one message.
[[nodiscard]] std::string answer_to(tls::Issuer& issuer, std::string_view message);

}  // namespace leash::signer
