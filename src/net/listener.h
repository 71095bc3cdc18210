// A listening socket on a loop.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/endpoint.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/ip_address.h"
#include "net/loop.h"
#include "net/peer.h"
#include "net/socket_file.h"

namespace leash::net {

// Binds and listens with SO_REUSEPORT, so that each worker has one for the same address. kYes is
// for the first listener of an address: it refuses one that some other process listens on, even if
// that one shares its port (a second leash on the port is an error, not a share). `address` tells
// the port the kernel chose. An IPv6 wildcard takes IPv6 only. Errors: io ("cannot listen on
// 127.0.0.1:8080: Address already in use").
struct Bound {
  base::Fd fd;
  base::SocketAddress address;
};
enum class Exclusive { kYes, kNo };
[[nodiscard]] base::Result<Bound> listen_tcp(const base::SocketAddress& address,
                                             Exclusive exclusive);
struct BoundUnix {
  base::Fd fd;
  SocketFile file;
};
// Removes a stale socket file first (one that refuses connections); mode 0660, never wider for a
// moment. Errors: io, also where something else than a socket has that path, and where somebody
// still answers there.
[[nodiscard]] base::Result<BoundUnix> listen_unix(const std::string& path);

// Where a socket that somebody else has bound listens. Errors: bad_config (no stream socket over
// IPv4, IPv6 or a unix path).
[[nodiscard]] base::Result<base::Endpoint> endpoint_of(int fd);

class Listener {
 public:
  using Accept = std::function<void(base::Fd fd, const Peer& peer)>;
  // Accepts until destroyed. Out of descriptors (EMFILE, ENFILE): sheds by closing, backs off for
  // 100 ms, and goes on. The callback gets a non-blocking descriptor and may destroy the listener.
  // An IPv4 peer never comes as a mapped IPv6 address. `fd` must be non-blocking (that of
  // listen_tcp and listen_unix is).
  Listener(Loop& loop, base::Fd fd, Accept accept);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace leash::net
