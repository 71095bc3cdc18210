// The signer as a process: how proxy and console start it, and who starts it again when it has
// died.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "tls/authority_store.h"

namespace leash::signer {

struct Started {
  std::vector<base::Fd> sockets;  // one for each worker, non-blocking
  std::string ca_pem;
  std::string ca_path;
};

// Starts the keeper, which starts the signer, and waits until that is ready. Both are this program
// with hidden arguments (see run_if_asked); both end when the calling thread ends. Before there are
// other threads and before this process has given up its rights. Errors: what the signer says of
// its CA, io.
[[nodiscard]] base::Result<Started> start(const std::string& ca_dir, const tls::LeafPoint& leaf_key,
                                          std::size_t workers);

// For main(), before anything else: does not return where the arguments are those that `start`
// gives to a keeper or a signer. nullopt for everybody else's; the exit code where somebody else
// gave them.
[[nodiscard]] std::optional<int> run_if_asked(int argc, const char* const* argv);

}  // namespace leash::signer
