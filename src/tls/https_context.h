// TLS for a server of our own that somebody else's event loop reads and writes: the console.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/authority.h"
#include "base/error.h"
#include "tls/engine.h"

struct ssl_st;  // OpenSSL's SSL

namespace leash::tls {

// TLS 1.2 and 1.3, http/1.1 alone, no tickets (a few people's browsers do not need them).
class HttpsContext {
 public:
  // Whether this server is known under a name: only such names get a leaf.
  using IsOwnName = std::function<bool(const base::Host&)>;

  // `leaves` must outlive it, and it must outlive its sessions. Errors: internal.
  [[nodiscard]] static base::Result<std::unique_ptr<HttpsContext>> make(LeafSource& leaves,
                                                                        IsOwnName is_own_name);
  virtual ~HttpsContext() = default;

  // One connection's side, ready to accept; the caller frees it (libevent does, with its
  // bufferevent). The leaf is for the SNI where that is a name of ours, else for the address that
  // the client has connected to. Null where OpenSSL has no memory.
  [[nodiscard]] virtual ssl_st* new_session() = 0;
};

}  // namespace leash::tls
