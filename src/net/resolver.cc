#include "net/resolver.h"

#include <ares.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <list>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/log.h"
#include "net/event_handle.h"
#include "net/sockaddr.h"

namespace leash::net {
namespace {

using std::chrono::milliseconds;
using Answer = base::Result<std::vector<base::IpAddress>>;

// Three tries of 2, 4 and 8 seconds (by default) a server: whoever waits has given up by then, so a
// dead server does not hold its share of max_running for a minute, as c-ares would by default.
constexpr int kTries = 3;

int init_library() {
  static const int status = ares_library_init(ARES_LIB_INIT_ALL);
  return status;
}

// Tells one state of a file from the next.
struct FileMark {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = -1;
  std::int64_t changed_ns = 0;

  static FileMark of(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return {};
    return {info.st_dev, info.st_ino, info.st_size,
            static_cast<std::int64_t>(info.st_mtim.tv_sec) * 1'000'000'000 + info.st_mtim.tv_nsec};
  }
  bool operator==(const FileMark&) const = default;
};

// One c-ares channel with its sockets and its clock on the loop.
class Channel {
 public:
  static base::Result<std::unique_ptr<Channel>> make(Loop& loop, const ResolverOptions& options) {
    auto channel = std::unique_ptr<Channel>(new Channel(loop));
    ares_options ares{};
    std::string path = options.resolv_conf;
    char lookups[] = "fb";
    ares.timeout = static_cast<int>(options.try_time.count());
    ares.tries = kTries;
    ares.ndots = 0;
    ares.ndomains = 0;  // no search domains
    ares.lookups = lookups;
    ares.resolvconf_path = path.data();
    ares.sock_state_cb = &Channel::on_socket_state;
    ares.sock_state_cb_data = channel.get();
    const int status =
        ares_init_options(&channel->ares_, &ares,
                          ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS | ARES_OPT_DOMAINS |
                              ARES_OPT_LOOKUPS | ARES_OPT_RESOLVCONF | ARES_OPT_SOCK_STATE_CB);
    if (status != ARES_SUCCESS) return failed(status);
    channel->is_made_ = true;
    if (!options.servers.empty()) {
      const int set = ares_set_servers_ports_csv(channel->ares_, options.servers.c_str());
      if (set != ARES_SUCCESS) return failed(set);
    }
    return channel;
  }
  ~Channel() {
    if (is_made_) ares_destroy(ares_);
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // `callback` may run inside.
  void look_up(const std::string& name, ares_addrinfo_callback callback, void* argument) {
    ares_addrinfo_hints hints{};
    // Without the sort, which would connect a socket to each address.
    hints.ai_flags = ARES_AI_NOSORT | ARES_AI_ENVHOSTS;
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    ares_getaddrinfo(ares_, name.c_str(), nullptr, &hints, callback, argument);
    set_clock();
  }

  int running = 0;

 private:
  explicit Channel(Loop& loop)
      : loop_(loop), clock_(loop, [this] { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }) {}

  static tl::unexpected<base::Error> failed(int status) {
    return base::fail(base::Code::kIo, base::Fault::kProxy,
                      fmt::format("cannot set up the resolver: {}", ares_strerror(status)));
  }

  static void on_socket_state(void* self, ares_socket_t fd, int readable, int writable) noexcept {
    static_cast<Channel*>(self)->watch(fd, readable != 0, writable != 0);
  }
  static void on_ready(evutil_socket_t fd, short what, void* self) noexcept {
    static_cast<Channel*>(self)->process((what & EV_READ) != 0 ? fd : ARES_SOCKET_BAD,
                                         (what & EV_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
  }

  void watch(int fd, bool readable, bool writable) {
    watches_.erase(fd);
    if (!readable && !writable) return;
    const auto what = static_cast<short>((readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
    auto watch =
        new_event(loop_.base(), fd, static_cast<short>(what | EV_PERSIST), &on_ready, this);
    event_add(watch.get(), nullptr);
    watches_.emplace(fd, std::move(watch));
  }

  void process(int readable, int writable) {
    ares_process_fd(ares_, readable, writable);
    set_clock();
  }

  void set_clock() {
    timeval left{};
    if (ares_timeout(ares_, nullptr, &left) == nullptr) {
      clock_.stop();
      return;
    }
    clock_.start(milliseconds(left.tv_sec * 1000 + left.tv_usec / 1000 + 1));
  }

  Loop& loop_;
  ares_channel ares_ = nullptr;
  bool is_made_ = false;
  Timer clock_;
  std::unordered_map<int, EventPtr> watches_;
};

// The least recently used goes first.
class Cache {
 public:
  explicit Cache(std::size_t max) : max_(max) {}

  const Answer* find(const std::string& name, std::chrono::steady_clock::time_point now) {
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) return nullptr;
    if (found->second->expires <= now) {
      entries_.erase(found->second);
      by_name_.erase(found);
      return nullptr;
    }
    entries_.splice(entries_.begin(), entries_, found->second);
    return &found->second->answer;
  }

  void put(const std::string& name, const Answer& answer,
           std::chrono::steady_clock::time_point expires) {
    if (max_ == 0) return;
    if (const auto found = by_name_.find(name); found != by_name_.end()) {
      found->second->answer = answer;
      found->second->expires = expires;
      return;
    }
    if (entries_.size() >= max_) {
      by_name_.erase(entries_.back().name);
      entries_.pop_back();
    }
    entries_.push_front({name, answer, expires});
    by_name_.emplace(name, entries_.begin());
  }

  void clear() {
    by_name_.clear();
    entries_.clear();
  }

 private:
  struct Entry {
    std::string name;
    Answer answer;
    std::chrono::steady_clock::time_point expires;
  };
  const std::size_t max_;
  std::list<Entry> entries_;
  std::unordered_map<std::string, std::list<Entry>::iterator> by_name_;
};

// RFC 6761 s. 6.3. Here, since c-ares 1.18 sends the names below localhost to its servers, and
// leaks for itself.
std::vector<base::IpAddress> loopback() {
  std::array<std::uint8_t, 16> v6{};
  v6.back() = 1;
  return {base::IpAddress::v6(v6), base::IpAddress::v4(INADDR_LOOPBACK)};
}

// IPv6 first, then in turns (RFC 8305 s. 4), each once.
std::vector<base::IpAddress> interleave(const std::vector<base::IpAddress>& v6,
                                        const std::vector<base::IpAddress>& v4) {
  std::vector<base::IpAddress> out;
  const auto add = [&](const std::vector<base::IpAddress>& from, std::size_t i) {
    if (i >= from.size() || out.size() >= Resolver::kMaxAddresses) return;
    if (std::find(out.begin(), out.end(), from[i]) == out.end()) out.push_back(from[i]);
  };
  for (std::size_t i = 0; i < std::max(v4.size(), v6.size()); ++i) {
    if (out.size() >= Resolver::kMaxAddresses) break;
    add(v6, i);
    add(v4, i);
  }
  return out;
}

class AresResolver;

struct Waiter;

// One question to c-ares.
struct Query {
  AresResolver* resolver = nullptr;
  Channel* channel = nullptr;
  std::string name;
  std::string owner;
  bool is_stale = false;  // the files have changed since: do not cache, do not share
  std::vector<Waiter*> waiters;
};

struct Waiter final : Pending {
  explicit Waiter(Resolver::Done the_done) : done(std::move(the_done)) {}
  ~Waiter() override;

  // Tells `answer`; the callback may destroy the waiter.
  void finish(Answer told);

  AresResolver* resolver = nullptr;  // nullptr once it has answered, or the resolver is gone
  Query* query = nullptr;            // while it waits for one
  Resolver::Done done;
  std::optional<Answer> answer;
  std::optional<Timer> timeout;
};

class AresResolver final : public Resolver {
 public:
  AresResolver(Loop& loop, ResolverOptions options, std::unique_ptr<Channel> channel)
      : loop_(loop),
        options_(std::move(options)),
        cache_(options_.max_cached),
        deliver_(loop, [this] { deliver(); }),
        channel_(std::move(channel)) {
    is_file_changed();
  }

  ~AresResolver() override {
    for (Waiter* waiter : waiters_) {
      waiter->resolver = nullptr;
      waiter->query = nullptr;
      waiter->timeout.reset();
    }
    for (const auto& [key, query] : queries_) query->waiters.clear();
    waiters_.clear();
    retired_.clear();  // c-ares answers all that runs with EDESTRUCTION
    channel_.reset();
  }

  std::unique_ptr<Pending> resolve(const base::Host& host, const std::string& owner,
                                   milliseconds timeout, Done done) override {
    auto waiter = std::make_unique<Waiter>(std::move(done));
    waiter->resolver = this;
    waiters_.insert(waiter.get());
    if (const auto& ip = host.ip()) {
      be_ready(*waiter, std::vector{*ip});
      return waiter;
    }
    const std::string& name = host.text();
    if (name == "localhost" || name.ends_with(".localhost")) {
      be_ready(*waiter, loopback());
      return waiter;
    }
    if (is_file_changed()) start_afresh();
    if (const Answer* cached = cache_.find(name, loop_.now())) {
      be_ready(*waiter, *cached);
      return waiter;
    }
    const auto shared = by_name_.find(name);
    if (shared == by_name_.end()) {
      if (auto full = no_room_for(owner)) {
        be_ready(*waiter, tl::unexpected(std::move(*full)));
        return waiter;
      }
    }
    waiter->timeout.emplace(loop_, [it = waiter.get()] { give_up(*it); });
    waiter->timeout->start(timeout);
    if (shared != by_name_.end()) {
      waiter->query = shared->second;
      shared->second->waiters.push_back(waiter.get());
    } else {
      start(name, owner, *waiter);
    }
    return waiter;
  }

  void forget(Waiter& waiter) {
    waiters_.erase(&waiter);
    if (waiter.query != nullptr) std::erase(waiter.query->waiters, &waiter);
    waiter.query = nullptr;
    std::erase(ready_, &waiter);
  }

 private:
  // One client that asks for names nobody answers must not take the look-ups of all others.
  [[nodiscard]] std::optional<base::Error> no_room_for(const std::string& owner) const {
    const auto full = [](std::string text) {
      return base::Error{base::Code::kNoMemoryLeft, base::Fault::kProxy, std::move(text)};
    };
    if (queries_.size() >= options_.max_running) {
      return full(fmt::format("{} look-ups are under way", options_.max_running));
    }
    const auto own = running_of_.find(owner);
    if (own != running_of_.end() && own->second >= options_.max_per_owner) {
      return full(fmt::format("{} look-ups of this client are under way", options_.max_per_owner));
    }
    return std::nullopt;
  }

  void start(const std::string& name, const std::string& owner, Waiter& waiter) {
    auto made = std::make_unique<Query>();
    Query* const query = made.get();
    query->resolver = this;
    query->channel = channel_.get();
    query->name = name;
    query->owner = owner;
    ++running_of_[owner];
    query->waiters.push_back(&waiter);
    waiter.query = query;
    queries_.emplace(query, std::move(made));
    by_name_.emplace(name, query);
    ++channel_->running;
    channel_->look_up(name, &AresResolver::on_answer, query);
  }

  static void on_answer(void* query, int status, int, ares_addrinfo* info) noexcept {
    auto* const answered = static_cast<Query*>(query);
    answered->resolver->answer(*answered, status, info);
  }

  // Also called by c-ares from within look_up and from the destruction of a channel.
  void answer(Query& query, int status, ares_addrinfo* info) {
    std::chrono::seconds ttl = options_.max_ttl;
    Answer answer = read_answer(query.name, status, info, ttl);
    if (info != nullptr) ares_freeaddrinfo(info);
    const bool is_kept = answer || status == ARES_ENOTFOUND || status == ARES_ENODATA;
    if (!query.is_stale) {
      by_name_.erase(query.name);
      if (is_kept) {
        const auto kept_for =
            answer ? std::clamp(ttl, options_.min_ttl, options_.max_ttl) : options_.negative_ttl;
        cache_.put(query.name, answer, loop_.now() + kept_for);
      }
    }
    for (Waiter* waiter : query.waiters) {
      waiter->query = nullptr;
      be_ready(*waiter, answer);
    }
    --query.channel->running;
    const auto own = running_of_.find(query.owner);
    if (--own->second == 0) running_of_.erase(own);
    queries_.erase(&query);
    if (!retired_.empty()) deliver_.start(milliseconds(0));
  }

  static Answer read_answer(const std::string& name, int status, const ares_addrinfo* info,
                            std::chrono::seconds& ttl) {
    if (status != ARES_SUCCESS || info == nullptr) {
      return base::fail(
          status == ARES_ETIMEOUT ? base::Code::kResolveTimeout : base::Code::kResolveFailed,
          base::Fault::kOrigin, fmt::format("{}: {}", name, ares_strerror(status)));
    }
    const auto shorten = [&](int seconds) {
      ttl = std::min(ttl, std::chrono::seconds(std::max(seconds, 0)));
    };
    std::vector<base::IpAddress> v4;
    std::vector<base::IpAddress> v6;
    for (const auto* node = info->nodes; node != nullptr; node = node->ai_next) {
      RawAddress raw;
      if (node->ai_addr == nullptr || node->ai_addrlen > sizeof raw.storage) continue;
      if (node->ai_family == AF_INET && node->ai_addrlen >= sizeof(sockaddr_in)) {
        sockaddr_in in{};
        std::memcpy(&in, node->ai_addr, sizeof in);
        v4.push_back(base::IpAddress::v4(ntohl(in.sin_addr.s_addr)));
      } else if (node->ai_family == AF_INET6 && node->ai_addrlen >= sizeof(sockaddr_in6)) {
        sockaddr_in6 in{};
        std::memcpy(&in, node->ai_addr, sizeof in);
        std::array<std::uint8_t, 16> bytes{};
        std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
        v6.push_back(base::IpAddress::v6(bytes));  // a mapped one stays as it is, for the guard
      } else {
        continue;
      }
      shorten(node->ai_ttl);
    }
    for (const auto* alias = info->cnames; alias != nullptr; alias = alias->next) {
      shorten(alias->ttl);
    }
    auto addresses = interleave(v6, v4);
    if (addresses.empty()) {
      return base::fail(base::Code::kResolveFailed, base::Fault::kOrigin,
                        fmt::format("{}: it has no address", name));
    }
    return addresses;
  }

  void be_ready(Waiter& waiter, Answer answer) {
    waiter.answer = std::move(answer);
    waiter.timeout.reset();
    ready_.push_back(&waiter);
    if (!deliver_.is_running()) deliver_.start(milliseconds(0));
  }

  // A callback may cancel others that are ready, and ask for more.
  void deliver() {
    std::erase_if(retired_, [](const auto& channel) { return channel->running == 0; });
    for (std::size_t left = ready_.size(); left > 0 && !ready_.empty(); --left) {
      Waiter* const waiter = ready_.front();
      ready_.pop_front();
      waiter->finish(std::move(*waiter->answer));
    }
    if (!ready_.empty()) deliver_.start(milliseconds(0));
  }

  static void give_up(Waiter& waiter) {
    waiter.finish(base::fail(base::Code::kResolveTimeout, base::Fault::kOrigin,
                             fmt::format("{}: no answer in time", waiter.query->name)));
  }

  bool is_file_changed() {
    const char* const named = std::getenv("CARES_HOSTS");  // as c-ares reads it
    const FileMark hosts = FileMark::of(named != nullptr ? named : "/etc/hosts");
    const FileMark conf = FileMark::of(options_.resolv_conf);
    const bool is_changed = hosts != hosts_ || conf != conf_;
    hosts_ = hosts;
    conf_ = conf;
    return is_changed;
  }

  // What runs goes on, on the old channel, for those who wait for it already.
  void start_afresh() {
    cache_.clear();
    by_name_.clear();
    for (const auto& [key, query] : queries_) query->is_stale = true;
    auto made = Channel::make(loop_, options_);
    if (!made) {
      spdlog::warn("{}; going on with the old settings", made.error().text());
      return;
    }
    retired_.push_back(std::exchange(channel_, std::move(*made)));
    deliver_.start(milliseconds(0));
  }

  Loop& loop_;
  const ResolverOptions options_;
  FileMark hosts_;
  FileMark conf_;
  Cache cache_;
  std::unordered_map<Query*, std::unique_ptr<Query>> queries_;
  std::unordered_map<std::string, std::size_t> running_of_;  // queries by their owner
  std::unordered_map<std::string, Query*> by_name_;          // those that new waiters may join
  std::unordered_set<Waiter*> waiters_;
  std::deque<Waiter*> ready_;
  Timer deliver_;
  std::vector<std::unique_ptr<Channel>> retired_;
  std::unique_ptr<Channel> channel_;
};

Waiter::~Waiter() {
  if (resolver != nullptr) resolver->forget(*this);
}

void Waiter::finish(Answer told) {
  resolver->forget(*this);
  resolver = nullptr;
  const auto call = std::exchange(done, nullptr);
  if (call) call(std::move(told));
}

}  // namespace

base::Result<std::unique_ptr<Resolver>> make_resolver(Loop& loop, const ResolverOptions& options) {
  if (const int status = init_library(); status != ARES_SUCCESS) {
    return base::fail(base::Code::kIo, base::Fault::kProxy,
                      fmt::format("cannot set up the resolver: {}", ares_strerror(status)));
  }
  auto channel = Channel::make(loop, options);
  if (!channel) return tl::unexpected(std::move(channel.error()));
  return std::make_unique<AresResolver>(loop, options, std::move(*channel));
}

}  // namespace leash::net
