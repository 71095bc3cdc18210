// A worker's connections to origins: an agent's own, never shared between agents.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "config/settings.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "proxy/metrics.h"
#include "proxy/origin_connection.h"
#include "proxy/streams.h"
#include "tls/engine.h"

namespace leash::proxy {

class OriginPool final : public OriginConnection::Owner {
 public:
  using Key = OriginConnection::Key;
  using AddressIsFit = std::function<bool(const base::SocketAddress&)>;
  using Opened = std::function<void(base::Result<std::unique_ptr<OriginStream>>)>;
  using Warmed = std::function<void(base::Result<base::SocketAddress>)>;

  OriginPool(net::Loop& loop, tls::ClientContext& tls, const config::Limits& limits,
             Metrics& metrics);
  ~OriginPool();
  OriginPool(const OriginPool&) = delete;
  OriginPool& operator=(const OriginPool&) = delete;

  // A stream on a connection at hand whose address may still be dialled; null where there is none.
  [[nodiscard]] std::unique_ptr<OriginStream> take(const Key& key, const AddressIsFit& is_fit,
                                                   OriginEvents& events);
  [[nodiscard]] bool has_ready(const Key& key, const AddressIsFit& is_fit) const;

  // A stream on a connection that is being made already, or on a new one to these checked
  // addresses. Several may wait for one connection: HTTP/2 serves them all, HTTP/1 the first, and
  // the others then get connections of their own. `done` never runs inside the call.
  [[nodiscard]] std::unique_ptr<net::Pending> open(
      const Key& key, const std::vector<base::SocketAddress>& addresses, OriginEvents& events,
      Opened done);
  // Connects ahead of the first request: `done` runs when TCP is up; TLS goes on by itself and the
  // connection waits for open() or take().
  [[nodiscard]] std::unique_ptr<net::Pending> warm(
      const Key& key, const std::vector<base::SocketAddress>& addresses, Warmed done);
  void close_idle();
  [[nodiscard]] std::size_t size() const { return connections_.size(); }

 private:
  class Waiter;
  struct Entry {
    std::unique_ptr<OriginConnection> connection;
    std::vector<base::SocketAddress> addresses;
    std::vector<Waiter*> waiters;  // who wants a stream, or (the warmer) to know of TCP
  };

  void on_connected(OriginConnection& connection) override;
  void on_ready(OriginConnection& connection) override;
  void on_failed(OriginConnection& connection, base::Error error) override;
  void on_free(OriginConnection& connection) override;
  void on_gone(OriginConnection& connection) override;

  Entry& start(const Key& key, const std::vector<base::SocketAddress>& addresses);
  [[nodiscard]] Entry* find_coming(const Key& key,
                                   const std::vector<base::SocketAddress>& addresses);
  [[nodiscard]] std::unique_ptr<OriginStream> open_on(OriginConnection& connection,
                                                      OriginEvents& events);
  void offer(OriginConnection& connection);
  void forget(OriginConnection& connection);

  net::Loop& loop_;
  tls::ClientContext& tls_;
  const config::Limits& limits_;
  Metrics& metrics_;
  std::unordered_map<OriginConnection*, Entry> connections_;
  std::map<Key, std::vector<OriginConnection*>>
      ready_;  // may carry an exchange; the last used is used first
  std::map<Key, std::vector<OriginConnection*>> coming_;  // not ready yet
};

}  // namespace leash::proxy
