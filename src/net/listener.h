// A listening socket on a loop.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/fd.h"
#include "base/ip_address.h"
#include "net/loop.h"

namespace leash::net {

// Binds and listens with SO_REUSEPORT, so that each worker has one for the same address.
// Errors: io ("cannot listen on 127.0.0.1:8080: address already in use"). `bound` tells the port the kernel chose.
// `probe` refuses an address that some other process already listens on even with SO_REUSEPORT set (the first
// listener of an address is bound exclusively for a moment): a second leash on the port is an error, not a share.
struct Bound {
  base::Fd fd;
  base::SocketAddress address;
};
enum class Exclusive { kYes, kNo };
[[nodiscard]] base::Result<Bound> listen_tcp(const base::SocketAddress& address, Exclusive exclusive);
// Removes a stale socket file first (one that refuses connections); mode 0660. Errors: io.
[[nodiscard]] base::Result<base::Fd> listen_unix(const std::string& path);

class Listener {
 public:
  using Accept = std::function<void(base::Fd fd, const base::SocketAddress& peer)>;
  // Accepts until destroyed. Out of descriptors (EMFILE, ENFILE): sheds by closing, backs off for 100 ms, and goes on.
  Listener(Loop& loop, base::Fd fd, Accept accept);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace leash::net
