// A worker's connections to origins: an agent's own, never shared between agents.
#pragma once

#include <chrono>
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

  // How many connections there may be, idle ones included. An idle one gives way to a new one.
  struct Caps {
    std::size_t all = 16'384;
    std::size_t per_agent = 2'048;
  };
  OriginPool(net::Loop& loop, tls::ClientContext& tls, const config::Limits& limits, Caps caps,
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
  class Late;
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

  // Idle connections as they were when somebody looked, the idlest last. Each is looked at again
  // before it is closed: it may be in use, or gone.
  struct Idle {
    OriginConnection* connection;
    std::chrono::steady_clock::time_point since;
  };
  struct Agent {
    std::size_t connections = 0;
    std::vector<Idle> idlest;
  };

  // True where there is room for one more of this agent, if need be by closing an idle one.
  [[nodiscard]] bool make_room(const std::string& agent);
  [[nodiscard]] bool close_idlest(std::vector<Idle>& idlest, const std::string* agent);
  [[nodiscard]] std::vector<Idle> find_idle(const std::string* agent) const;
  std::unique_ptr<net::Pending> fail_later(std::function<void(const base::Error&)> done);
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
  const Caps caps_;
  Metrics& metrics_;
  std::unordered_map<std::string, Agent> by_agent_;
  std::vector<Idle> idlest_;  // of all agents
  std::unordered_map<OriginConnection*, Entry> connections_;
  std::map<Key, std::vector<OriginConnection*>>
      ready_;  // may carry an exchange; the last used is used first. None, while all are in use
  std::map<Key, std::vector<OriginConnection*>> coming_;  // not ready yet
};

}  // namespace leash::proxy
