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

// What is refused at once, told as everything else is: not inside the call.
class OriginPool::Late final : public net::Pending {
 public:
  Late(net::Loop& loop, std::function<void()> tell) : timer_(loop, std::move(tell)) {
    timer_.start(std::chrono::milliseconds(0));
  }

 private:
  net::Timer timer_;
};

OriginPool::OriginPool(net::Loop& loop, tls::ClientContext& tls, const config::Limits& limits,
                       Caps caps, Metrics& metrics)
    : loop_(loop), tls_(tls), limits_(limits), caps_(caps), metrics_(metrics) {}

OriginPool::~OriginPool() {
  for (auto& [connection, entry] : connections_) {
    for (Waiter* waiter : entry.waiters) waiter->forget_entry();
  }
}

std::unique_ptr<OriginStream> OriginPool::take(const Key& key, const AddressIsFit& is_fit,
                                               OriginEvents& events) {
  for (;;) {
    const auto it = ready_.find(key);
    if (it == ready_.end() || it->second.empty()) return nullptr;
    OriginConnection& connection = *it->second.back();
    bool is_good = connection.is_fit();
    if (!is_good) {
      connection.settle();
      const auto again = ready_.find(key);
      // It may have ended.
      if (again == ready_.end() || again->second.empty() || again->second.back() != &connection) {
        continue;
      }
      is_good = connection.is_fit();
    }
    if (is_good && is_fit(connection.address())) {
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
  if (stream->facts().was_reused) count(metrics_.origin_reused);
  if (!connection.can_open()) std::erase(ready_[connection.key()], &connection);
  return stream;
}

bool OriginPool::has_ready(const Key& key, const AddressIsFit& is_fit) const {
  const auto it = ready_.find(key);
  return it != ready_.end() &&
         std::any_of(it->second.begin(), it->second.end(), [&](const OriginConnection* c) {
           return c->can_open() && is_fit(c->address());
         });
}

bool OriginPool::make_room(const std::string& agent) {
  const auto own = by_agent_.find(agent);
  if (own != by_agent_.end() && own->second.connections >= caps_.per_agent &&
      !close_idlest(own->second.idlest, &agent)) {
    return false;
  }
  return connections_.size() < caps_.all || close_idlest(idlest_, nullptr);
}

// The one that has had no exchange for longest, of this agent or of all. Who is at the limit stays
// there, so one look at all connections has to last: what has become idle since is not the idlest.
bool OriginPool::close_idlest(std::vector<Idle>& idlest, const std::string* agent) {
  for (const bool is_old_look : {true, false}) {
    if (!is_old_look) idlest = find_idle(agent);
    while (!idlest.empty()) {
      const Idle one = idlest.back();
      idlest.pop_back();
      if (!connections_.contains(one.connection) || !one.connection->is_unused() ||
          one.connection->idle_since() != one.since) {
        continue;
      }
      one.connection->close();
      forget(*one.connection);  // takes the agent with it where this was its only one
      return true;
    }
  }
  return false;
}

std::vector<OriginPool::Idle> OriginPool::find_idle(const std::string* agent) const {
  std::vector<Idle> found;
  for (const auto& [connection, entry] : connections_) {
    if (connection->is_unused() && (agent == nullptr || connection->key().agent == *agent)) {
      found.push_back({connection, connection->idle_since()});
    }
  }
  std::sort(found.begin(), found.end(),
            [](const Idle& a, const Idle& b) { return a.since > b.since; });
  return found;
}

std::unique_ptr<net::Pending> OriginPool::fail_later(std::function<void(const base::Error&)> done) {
  count(metrics_.limit_origin_connections);
  return std::make_unique<Late>(loop_, [done = std::move(done)] {
    done({base::Code::kTooManyConnections, base::Fault::kProxy, "to origins"});
  });
}

OriginPool::Entry& OriginPool::start(const Key& key,
                                     const std::vector<base::SocketAddress>& addresses) {
  auto connection = std::make_unique<OriginConnection>(loop_, tls_, limits_, key, *this);
  OriginConnection* raw = connection.get();
  ++by_agent_[key.agent].connections;
  Entry& entry = connections_[raw];
  entry.connection = std::move(connection);
  entry.addresses = addresses;
  coming_[key].push_back(raw);
  count(metrics_.origin_connections);
  metrics_.origin_connections_open.fetch_add(1, std::memory_order_relaxed);
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
  if (entry == nullptr && !make_room(key.agent)) {
    return fail_later(
        [done = std::move(done)](const base::Error& error) { done(tl::unexpected(error)); });
  }
  if (entry == nullptr) entry = &start(key, addresses);
  return std::make_unique<Waiter>(*entry, &events, std::move(done), nullptr);
}

std::unique_ptr<net::Pending> OriginPool::warm(const Key& key,
                                               const std::vector<base::SocketAddress>& addresses,
                                               Warmed done) {
  if (!make_room(key.agent)) {
    return fail_later(
        [done = std::move(done)](const base::Error& error) { done(tl::unexpected(error)); });
  }
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

// Gives streams to those who wait, as many as it can carry. The rest get new connections, as many
// to each as this one has taken: HTTP/1 takes one.
void OriginPool::offer(OriginConnection& connection) {
  const Key key = connection.key();
  ready_[key].push_back(&connection);
  Entry& entry = connections_.at(&connection);
  if (entry.waiters.empty()) return;
  const std::vector<base::SocketAddress> addresses = entry.addresses;
  // Telling one may destroy another, which then leaves its list, or end the connection.
  Entry waiting;
  for (Waiter* waiter : std::exchange(entry.waiters, {})) waiter->move_to(waiting);
  std::size_t taken = 0;
  while (!waiting.waiters.empty() && connections_.contains(&connection) && connection.can_open()) {
    ++taken;
    Waiter* waiter = waiting.waiters.front();
    waiting.waiters.erase(waiting.waiters.begin());
    waiter->forget_entry();
    waiter->tell_opened(open_on(connection, waiter->events()));
  }
  const std::vector<Waiter*> left = std::exchange(waiting.waiters, {});
  if (left.empty()) return;
  Entry parking;  // likewise
  Entry* next = nullptr;
  for (Waiter* waiter : left) {
    if (next == nullptr || next->waiters.size() >= taken) {
      next = make_room(key.agent) ? &start(key, addresses) : &parking;
    }
    waiter->move_to(*next);
  }
  while (!parking.waiters.empty()) {
    count(metrics_.limit_origin_connections);
    Waiter* waiter = parking.waiters.front();
    parking.waiters.erase(parking.waiters.begin());
    waiter->forget_entry();
    waiter->fail({base::Code::kTooManyConnections, base::Fault::kProxy, "to origins"});
  }
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
  std::vector<OriginConnection*>& listed = ready_[connection.key()];
  if (std::find(listed.begin(), listed.end(), &connection) == listed.end()) {
    listed.push_back(&connection);
  }
}

void OriginPool::on_gone(OriginConnection& connection) { forget(connection); }

void OriginPool::forget(OriginConnection& connection) {
  erase_from(ready_, connection);
  erase_from(coming_, connection);
  const auto it = connections_.find(&connection);
  if (it == connections_.end()) return;
  for (Waiter* waiter : it->second.waiters) waiter->forget_entry();
  std::unique_ptr<OriginConnection> dead = std::move(it->second.connection);
  if (const auto agent = by_agent_.find(dead->key().agent); --agent->second.connections == 0) {
    by_agent_.erase(agent);
  }
  connections_.erase(it);
  metrics_.origin_connections_open.fetch_sub(1, std::memory_order_relaxed);
  loop_.bury(std::move(dead));
}

void OriginPool::close_idle() {
  std::vector<OriginConnection*> idle;
  for (const auto& [key, listed] : ready_) idle.insert(idle.end(), listed.begin(), listed.end());
  for (OriginConnection* connection : idle) {
    connection->close();
    forget(*connection);
  }
}

}  // namespace leash::proxy
