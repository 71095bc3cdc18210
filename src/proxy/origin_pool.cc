#include "proxy/origin_pool.h"

#include <algorithm>
#include <utility>

namespace leash::proxy {
namespace {

void erase_from(std::map<OriginPool::Key, std::vector<OriginConnection*>>& index, OriginConnection& connection) {
  const auto it = index.find(connection.key());
  if (it == index.end()) return;
  std::erase(it->second, &connection);
  if (it->second.empty()) index.erase(it);
}

}  // namespace

// Somebody who waits for a connection; forgets itself when destroyed.
class OriginPool::Waiter final : public net::Pending {
 public:
  Waiter(Waiter*& slot, OriginEvents* events, Opened opened, Warmed warmed)
      : slot_(&slot), events_(events), opened_(std::move(opened)), warmed_(std::move(warmed)) {
    *slot_ = this;
  }
  ~Waiter() override { detach(); }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  void detach() {
    if (slot_ != nullptr) *slot_ = nullptr;
    slot_ = nullptr;
  }
  [[nodiscard]] OriginEvents& events() { return *events_; }
  void tell_opened(base::Result<std::unique_ptr<OriginStream>> stream) {
    detach();
    const Opened opened = std::move(opened_);
    opened(std::move(stream));
  }
  void tell_warmed(base::Result<base::SocketAddress> address) {
    detach();
    const Warmed warmed = std::move(warmed_);
    warmed(std::move(address));
  }

 private:
  Waiter** slot_;
  OriginEvents* events_;
  Opened opened_;
  Warmed warmed_;
};

OriginPool::OriginPool(net::Loop& loop, tls::ClientContext& tls, const config::Limits& limits, Metrics& metrics)
    : loop_(loop), tls_(tls), limits_(limits), metrics_(metrics) {}

OriginPool::~OriginPool() {
  for (auto& [connection, entry] : connections_) {
    if (entry.waiter != nullptr) entry.waiter->detach();
    if (entry.warmer != nullptr) entry.warmer->detach();
  }
}

std::unique_ptr<OriginStream> OriginPool::take_idle(const Key& key, const AddressIsFit& is_fit, OriginEvents& events) {
  for (;;) {
    const auto it = idle_.find(key);
    if (it == idle_.end()) return nullptr;
    OriginConnection* connection = it->second.back();
    it->second.pop_back();
    if (it->second.empty()) idle_.erase(it);
    if (!connection->is_quiet() || !is_fit(connection->address())) {
      connection->close();
      forget(*connection);
      continue;
    }
    count(metrics_.origin_reused);
    return connection->open(events);
  }
}

bool OriginPool::has_idle(const Key& key, const AddressIsFit& is_fit) const {
  const auto it = idle_.find(key);
  return it != idle_.end() && std::any_of(it->second.begin(), it->second.end(), [&](const OriginConnection* c) {
           return c->is_quiet() && is_fit(c->address());
         });
}

OriginPool::Entry& OriginPool::start(const Key& key, const std::vector<base::SocketAddress>& addresses) {
  auto connection = std::make_unique<OriginConnection>(loop_, tls_, limits_, key, *this);
  OriginConnection* raw = connection.get();
  Entry& entry = connections_[raw];
  entry.connection = std::move(connection);
  count(metrics_.origin_connections);
  raw->dial(addresses);
  return entry;
}

std::unique_ptr<net::Pending> OriginPool::open(const Key& key, const std::vector<base::SocketAddress>& addresses,
                                               OriginEvents& events, Opened done) {
  if (const auto it = coming_.find(key); it != coming_.end()) {
    for (OriginConnection* connection : it->second) {
      // Only one that goes where this request may go.
      const bool is_fit = std::find(addresses.begin(), addresses.end(), connection->address()) != addresses.end();
      if (!is_fit) continue;
      Entry& entry = connections_.at(connection);
      erase_from(coming_, *connection);
      return std::make_unique<Waiter>(entry.waiter, &events, std::move(done), nullptr);
    }
  }
  Entry& entry = start(key, addresses);
  return std::make_unique<Waiter>(entry.waiter, &events, std::move(done), nullptr);
}

std::unique_ptr<net::Pending> OriginPool::warm(const Key& key, const std::vector<base::SocketAddress>& addresses,
                                               Warmed done) {
  Entry& entry = start(key, addresses);
  return std::make_unique<Waiter>(entry.warmer, nullptr, nullptr, std::move(done));
}

void OriginPool::on_connected(OriginConnection& connection) {
  Entry& entry = connections_.at(&connection);
  if (entry.waiter == nullptr) coming_[connection.key()].push_back(&connection);
  if (entry.warmer != nullptr) entry.warmer->tell_warmed(connection.address());
}

void OriginPool::on_ready(OriginConnection& connection) {
  Entry& entry = connections_.at(&connection);
  erase_from(coming_, connection);
  if (entry.waiter == nullptr) {
    idle_[connection.key()].push_back(&connection);
    return;
  }
  Waiter& waiter = *entry.waiter;
  waiter.tell_opened(connection.open(waiter.events()));
}

void OriginPool::on_failed(OriginConnection& connection, base::Error error) {
  Entry& entry = connections_.at(&connection);
  Waiter* waiter = entry.waiter;
  Waiter* warmer = entry.warmer;
  if (waiter != nullptr) waiter->detach();
  if (warmer != nullptr) warmer->detach();
  forget(connection);
  // Each may destroy the other's owner, but they are never both set: the one who warms does not wait for a stream.
  if (waiter != nullptr) {
    waiter->tell_opened(tl::unexpected(std::move(error)));
  } else if (warmer != nullptr) {
    warmer->tell_warmed(tl::unexpected(std::move(error)));
  }
}

void OriginPool::on_idle(OriginConnection& connection) { idle_[connection.key()].push_back(&connection); }

void OriginPool::on_gone(OriginConnection& connection) { forget(connection); }

void OriginPool::forget(OriginConnection& connection) {
  erase_from(idle_, connection);
  erase_from(coming_, connection);
  const auto it = connections_.find(&connection);
  if (it == connections_.end()) return;
  std::unique_ptr<OriginConnection> dead = std::move(it->second.connection);
  connections_.erase(it);
  loop_.bury(std::move(dead));
}

void OriginPool::close_idle() {
  while (!idle_.empty()) {
    OriginConnection& connection = *idle_.begin()->second.back();
    connection.close();
    forget(connection);
  }
}

}  // namespace leash::proxy
