#include "proxy/origin_pool.h"

#include <algorithm>
#include <utility>

namespace leash::proxy {
namespace {

void erase_from(std::map<OriginPool::Key, std::vector<OriginConnection*>>& index,
                OriginConnection& connection) {
  const auto it = index.find(connection.key());
  if (it == index.end()) return;
  std::erase(it->second, &connection);
  if (it->second.empty()) index.erase(it);
}

}  // namespace

// Somebody who waits for a connection. When it is destroyed, its entry forgets it.
class OriginPool::Waiter final : public net::Pending {
 public:
  Waiter(Entry& entry, OriginEvents* events, Opened opened, Warmed warmed)
      : entry_(&entry), events_(events), opened_(std::move(opened)), warmed_(std::move(warmed)) {
    entry.waiters.push_back(this);
  }
  ~Waiter() override {
    if (entry_ != nullptr) std::erase(entry_->waiters, this);
  }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  [[nodiscard]] bool wants_stream() const { return events_ != nullptr; }
  [[nodiscard]] OriginEvents& events() { return *events_; }
  void move_to(Entry& entry) {
    entry_ = &entry;
    entry.waiters.push_back(this);
  }
  // The entry has let go of us.
  void forget_entry() { entry_ = nullptr; }
  void tell_opened(base::Result<std::unique_ptr<OriginStream>> stream) {
    const Opened opened = std::move(opened_);
    opened(std::move(stream));
  }
  void tell_warmed(base::Result<base::SocketAddress> address) {
    const Warmed warmed = std::move(warmed_);
    warmed(std::move(address));
  }
  void fail(const base::Error& error) {
    if (wants_stream()) {
      tell_opened(tl::unexpected(error));
    } else {
      tell_warmed(tl::unexpected(error));
    }
  }

 private:
  Entry* entry_;
  OriginEvents* events_;
  Opened opened_;
  Warmed warmed_;
};

OriginPool::OriginPool(net::Loop& loop, tls::ClientContext& tls, const config::Limits& limits,
                       Metrics& metrics)
    : loop_(loop), tls_(tls), limits_(limits), metrics_(metrics) {}

OriginPool::~OriginPool() {
  for (auto& [connection, entry] : connections_) {
    for (Waiter* waiter : entry.waiters) waiter->forget_entry();
  }
}

std::unique_ptr<OriginStream> OriginPool::take(const Key& key, const AddressIsFit& is_fit,
                                               OriginEvents& events) {
  for (;;) {
    const auto it = ready_.find(key);
    if (it == ready_.end()) return nullptr;
    OriginConnection& connection = *it->second.back();
    connection.settle();
    if (const auto again = ready_.find(key);
        again == ready_.end() || again->second.back() != &connection) {
      continue;  // it has ended
    }
    if (connection.is_fit() && is_fit(connection.address())) {
      count(metrics_.origin_reused);
      return open_on(connection, events);
    }
    erase_from(ready_, connection);
    // Streams that a shared connection still carries are judged by themselves.
    if (connection.is_unused()) {
      connection.close();
      forget(connection);
    }
  }
}

std::unique_ptr<OriginStream> OriginPool::open_on(OriginConnection& connection,
                                                  OriginEvents& events) {
  auto stream = connection.open(events);
  if (!connection.can_open()) erase_from(ready_, connection);
  return stream;
}

bool OriginPool::has_ready(const Key& key, const AddressIsFit& is_fit) const {
  const auto it = ready_.find(key);
  return it != ready_.end() &&
         std::any_of(it->second.begin(), it->second.end(), [&](const OriginConnection* c) {
           return c->can_open() && is_fit(c->address());
         });
}

OriginPool::Entry& OriginPool::start(const Key& key,
                                     const std::vector<base::SocketAddress>& addresses) {
  auto connection = std::make_unique<OriginConnection>(loop_, tls_, limits_, key, *this);
  OriginConnection* raw = connection.get();
  Entry& entry = connections_[raw];
  entry.connection = std::move(connection);
  entry.addresses = addresses;
  coming_[key].push_back(raw);
  count(metrics_.origin_connections);
  raw->dial(addresses);
  return entry;
}

// One that goes nowhere but where this request may go, and that others may join: plain HTTP is
// never shared.
OriginPool::Entry* OriginPool::find_coming(const Key& key,
                                           const std::vector<base::SocketAddress>& addresses) {
  const auto it = coming_.find(key);
  if (it == coming_.end()) return nullptr;
  const bool may_share = key.scheme == "https" && key.protocol == OriginConnection::Protocol::kAny;
  for (OriginConnection* connection : it->second) {
    Entry& entry = connections_.at(connection);
    const bool is_wanted = std::any_of(entry.waiters.begin(), entry.waiters.end(),
                                       [](const Waiter* waiter) { return waiter->wants_stream(); });
    const bool goes_there =
        std::all_of(entry.addresses.begin(), entry.addresses.end(), [&](const auto& address) {
          return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
        });
    if (goes_there && (!is_wanted || may_share)) return &entry;
  }
  return nullptr;
}

std::unique_ptr<net::Pending> OriginPool::open(const Key& key,
                                               const std::vector<base::SocketAddress>& addresses,
                                               OriginEvents& events, Opened done) {
  Entry* entry = find_coming(key, addresses);
  if (entry == nullptr) entry = &start(key, addresses);
  return std::make_unique<Waiter>(*entry, &events, std::move(done), nullptr);
}

std::unique_ptr<net::Pending> OriginPool::warm(const Key& key,
                                               const std::vector<base::SocketAddress>& addresses,
                                               Warmed done) {
  return std::make_unique<Waiter>(start(key, addresses), nullptr, nullptr, std::move(done));
}

void OriginPool::on_connected(OriginConnection& connection) {
  Entry& entry = connections_.at(&connection);
  const auto warmer = std::find_if(entry.waiters.begin(), entry.waiters.end(),
                                   [](const Waiter* waiter) { return !waiter->wants_stream(); });
  if (warmer == entry.waiters.end()) return;
  Waiter* told = *warmer;
  entry.waiters.erase(warmer);
  told->forget_entry();
  told->tell_warmed(connection.address());
}

void OriginPool::on_ready(OriginConnection& connection) {
  erase_from(coming_, connection);
  offer(connection);
}

// Gives streams to those who wait, as many as it can carry; the rest get connections of their own.
void OriginPool::offer(OriginConnection& connection) {
  ready_[connection.key()].push_back(&connection);
  Entry& entry = connections_.at(&connection);
  while (!entry.waiters.empty() && connection.can_open()) {
    Waiter* waiter = entry.waiters.front();
    entry.waiters.erase(entry.waiters.begin());
    waiter->forget_entry();
    waiter->tell_opened(open_on(connection, waiter->events()));
    if (!connections_.contains(&connection)) return;
  }
  const std::vector<Waiter*> left = std::exchange(entry.waiters, {});
  if (left.empty()) return;
  const Key key = connection.key();
  const std::vector<base::SocketAddress> addresses = entry.addresses;
  for (Waiter* waiter : left) waiter->move_to(start(key, addresses));
}

void OriginPool::on_failed(OriginConnection& connection, base::Error error) {
  const std::vector<Waiter*> waiters = std::exchange(connections_.at(&connection).waiters, {});
  forget(connection);
  // Telling one may destroy another, which then leaves this list.
  Entry parking;
  for (Waiter* waiter : waiters) waiter->move_to(parking);
  while (!parking.waiters.empty()) {
    Waiter* waiter = parking.waiters.front();
    parking.waiters.erase(parking.waiters.begin());
    waiter->forget_entry();
    waiter->fail(error);
  }
}

void OriginPool::on_free(OriginConnection& connection) {
  const auto it = ready_.find(connection.key());
  const bool is_listed = it != ready_.end() && std::find(it->second.begin(), it->second.end(),
                                                         &connection) != it->second.end();
  if (!is_listed) ready_[connection.key()].push_back(&connection);
}

void OriginPool::on_gone(OriginConnection& connection) { forget(connection); }

void OriginPool::forget(OriginConnection& connection) {
  erase_from(ready_, connection);
  erase_from(coming_, connection);
  const auto it = connections_.find(&connection);
  if (it == connections_.end()) return;
  for (Waiter* waiter : it->second.waiters) waiter->forget_entry();
  std::unique_ptr<OriginConnection> dead = std::move(it->second.connection);
  connections_.erase(it);
  loop_.bury(std::move(dead));
}

void OriginPool::close_idle() {
  while (!ready_.empty()) {
    OriginConnection& connection = *ready_.begin()->second.back();
    connection.close();
    forget(connection);
  }
}

}  // namespace leash::proxy
