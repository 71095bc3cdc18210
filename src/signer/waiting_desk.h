// A desk for a server whose handshakes cannot be suspended: the caller waits for the signer.
#pragma once

#include "signer/desk.h"

namespace leash::signer {

// For a server of a few names: a leaf that is kept costs no waiting, another one a fraction of a
// millisecond; while the signer is being started again, up to `patience`. One thread's.
class WaitingDesk final : public tls::LeafSource {
 public:
  static constexpr std::chrono::milliseconds kPatience{1000};

  WaitingDesk(base::Fd socket, Desk::Shared shared, std::chrono::milliseconds patience = kPatience);

  // `done` is called within the call.
  void leaf_for(const base::Host& host, Done done) override;

 private:
  net::Loop loop_;  // nothing else happens on it
  Desk desk_;
};

}  // namespace leash::signer
