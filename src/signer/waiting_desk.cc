#include "signer/waiting_desk.h"

#include <optional>
#include <utility>

namespace leash::signer {

WaitingDesk::WaitingDesk(base::Fd socket, Desk::Shared shared, std::chrono::milliseconds patience)
    : desk_(loop_, std::move(socket), shared, Desk::Voice::kSpeaks, patience) {}

void WaitingDesk::leaf_for(const base::Host& host, Done done) {
  std::optional<base::Result<std::shared_ptr<const tls::Leaf>>> result;
  desk_.leaf_for(host, [&result](auto leaf) { result = std::move(leaf); });
  // The desk answers in any case: by its patience, if by nothing else.
  while (!result) loop_.turn();
  done(std::move(*result));
}

}  // namespace leash::signer
