#include "net/resolver.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>

#include "base/fd.h"
#include "net/listener.h"
#include "net/sockaddr.h"
#include "net/stream.h"
#include "support/run_until.h"

using namespace std::chrono_literals;
using leash::base::Code;
using leash::base::Fault;
using leash::base::Fd;
using leash::base::Host;
using leash::base::IpAddress;
using leash::base::Result;
using leash::net::Loop;
using leash::net::make_resolver;
using leash::net::Pending;
using leash::net::ReadWatch;
using leash::net::Resolver;
using leash::net::ResolverOptions;
using leash::test::run_until;

namespace {

constexpr int kA = 1;
constexpr int kAaaa = 28;

void put16(std::string& out, unsigned value) {
  out.push_back(static_cast<char>(value >> 8));
  out.push_back(static_cast<char>(value & 255));
}

// A name server on the loop itself: UDP and TCP on loopback, answers from a table.
class NameServer {
 public:
  explicit NameServer(Loop& loop)
      : loop_(loop),
        fd_(open(tcp_)),
        watch_(loop, fd_.get(), [this] { answer_datagram(); }),
        listener_(loop, std::move(tcp_), [this](Fd fd, const auto&) {
          clients_.push_back(std::make_unique<Client>(*this, std::move(fd)));
        }) {}

  [[nodiscard]] std::string address() const { return leash::net::local_address(fd_.get())->text(); }
  void add(const std::string& name, std::string_view ip) {
    table[name].push_back(*IpAddress::parse(ip));
  }

  std::map<std::string, std::vector<IpAddress>> table;
  std::set<std::string> mute;  // names that get no answer
  std::uint32_t ttl = 60;
  std::vector<std::string> asked;  // "name/type"
  std::string raw;                 // when set: sent instead, after the right id
  bool wrong_id = false;
  int tcp_questions = 0;

 private:
  struct Client : leash::net::Stream::Handler {
    Client(NameServer& the_server, Fd fd)
        : server(the_server), stream(the_server.loop_, std::move(fd), *this) {
      stream.resume_reading();
    }
    void on_bytes(std::string_view bytes) override {
      buffer += bytes;
      while (buffer.size() >= 2) {
        const std::size_t size =
            static_cast<unsigned char>(buffer[0]) * 256u + static_cast<unsigned char>(buffer[1]);
        if (buffer.size() < size + 2) return;
        const std::string out = server.answer(buffer.substr(2, size));
        buffer.erase(0, size + 2);
        ++server.tcp_questions;
        std::string framed;
        put16(framed, static_cast<unsigned>(out.size()));
        stream.write(framed + out);
      }
    }
    void on_eof() override { stream.close(); }
    void on_error(leash::base::Error) override {}
    void on_drained() override {}

    NameServer& server;
    std::string buffer;
    leash::net::Stream stream;
  };

  // The kernel gives out a UDP port; its TCP twin may be somebody's, then another one is tried.
  static Fd open(Fd& tcp) {
    for (int left = 100; left > 0; --left) {
      Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      const auto raw_address = leash::net::to_raw({*IpAddress::parse("127.0.0.1"), 0});
      REQUIRE(::bind(fd.get(), raw_address.get(), raw_address.size) == 0);
      auto bound =
          leash::net::listen_tcp(*leash::net::local_address(fd.get()), leash::net::Exclusive::kYes);
      if (!bound) continue;
      tcp = std::move(bound->fd);
      return fd;
    }
    FAIL("no port is free for both UDP and TCP");
    return {};
  }

  void answer_datagram() {
    char buffer[1500];
    leash::net::RawAddress from;
    from.size = sizeof from.storage;
    const ssize_t n = ::recvfrom(fd_.get(), buffer, sizeof buffer, 0, from.get(), &from.size);
    if (n < 17) return;
    std::string out = answer(std::string(buffer, static_cast<std::size_t>(n)));
    if (out.empty()) return;
    if (out.size() > 512 && raw.empty()) {  // truncated: only the question, with TC set
      out.resize(static_cast<std::size_t>(n));
      out[2] = static_cast<char>(out[2] | 2);
      out.replace(6, 6, 6, '\0');
    }
    ::sendto(fd_.get(), out.data(), out.size(), 0, from.get(), from.size);
  }

  std::string answer(const std::string& query) {
    std::string name;
    std::size_t at = 12;
    while (at < query.size() && query[at] != 0) {
      const auto length = static_cast<std::size_t>(static_cast<unsigned char>(query[at]));
      if (!name.empty()) name += '.';
      name += query.substr(at + 1, length);
      at += 1 + length;
    }
    const std::string question = query.substr(12, at + 5 - 12);
    const int type = static_cast<unsigned char>(query[at + 2]);
    asked.push_back(name + "/" + std::to_string(type));
    if (mute.contains(name)) return {};

    std::string out = query.substr(0, 2);
    if (wrong_id) out[0] = static_cast<char>(out[0] ^ 1);
    if (!raw.empty()) {
      out += raw;
    } else {
      const auto found = table.find(name);
      std::vector<IpAddress> addresses;
      if (found != table.end()) {
        for (const auto& ip : found->second) {
          if (ip.is_v4() == (type == kA)) addresses.push_back(ip);
        }
      }
      put16(out, found == table.end() ? 0x8183 : 0x8180);
      put16(out, 1);
      put16(out, static_cast<unsigned>(addresses.size()));
      put16(out, 0);
      put16(out, 0);
      out += question;
      for (const auto& ip : addresses) {
        put16(out, 0xc00c);
        put16(out, static_cast<unsigned>(type));
        put16(out, 1);
        put16(out, ttl >> 16);
        put16(out, ttl & 0xffff);
        const unsigned size = ip.is_v4() ? 4 : 16;
        put16(out, size);
        out.append(reinterpret_cast<const char*>(ip.bytes().data()), size);
      }
    }
    return out;
  }

  Loop& loop_;
  Fd tcp_;
  Fd fd_;
  ReadWatch watch_;
  std::vector<std::unique_ptr<Client>> clients_;
  leash::net::Listener listener_;
};

// One server, one hosts file of our own, one resolver.
struct Fixture {
  std::filesystem::path dir;
  Loop loop;
  NameServer server{loop};
  ResolverOptions options;
  std::unique_ptr<Resolver> resolver;

  Fixture() {
    std::string name = (std::filesystem::temp_directory_path() / "leash-dns-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    dir = name;
    write("hosts", "192.0.2.99 pinned.test\n");
    write("resolv.conf", "nameserver 127.0.0.1\nsearch corp.test\n");
    ::setenv("CARES_HOSTS", (dir / "hosts").c_str(), 1);
    options.servers = server.address();
    options.resolv_conf = (dir / "resolv.conf").string();
    options.try_time = 60s;  // what is asked is counted: once, however slow the machine
    options.negative_ttl = 60s;
  }
  ~Fixture() {
    resolver.reset();
    ::unsetenv("CARES_HOSTS");
    std::filesystem::remove_all(dir);
  }
  void write(const std::string& name, std::string_view text) const {
    const auto next = dir / (name + ".new");
    std::ofstream(next) << text;
    std::filesystem::rename(next, dir / name);
  }
  void make() {
    auto made = make_resolver(loop, options);
    REQUIRE(made);
    resolver = std::move(*made);
  }
};

struct Lookup {
  std::optional<Result<std::vector<IpAddress>>> result;
  std::unique_ptr<Pending> pending;

  void start(Resolver& resolver, std::string_view name, std::chrono::milliseconds timeout = 10s,
             const std::string& owner = "192.0.2.200") {
    pending = resolver.resolve(*Host::parse(name), owner, timeout, [this](auto got) {
      CHECK_FALSE(result.has_value());
      result = std::move(got);
      pending.reset();
    });
    CHECK_FALSE(result.has_value());  // never inside the call
  }
  [[nodiscard]] std::string text() const {
    if (!result) return "nothing";
    if (!*result) return std::string(leash::base::word(result->error().code));
    std::string out;
    for (const auto& ip : **result) out += (out.empty() ? "" : " ") + ip.text();
    return out;
  }
};

std::string resolve(Fixture& f, std::string_view name) {
  Lookup lookup;
  lookup.start(*f.resolver, name);
  CHECK(run_until(f.loop, [&] { return lookup.result.has_value(); }));
  return lookup.text();
}

}  // namespace

TEST_CASE("families are interleaved, IPv6 first, duplicates once") {
  Fixture f;
  f.server.table["two.test"] = {*IpAddress::parse("192.0.2.1"),   *IpAddress::parse("192.0.2.2"),
                                *IpAddress::parse("192.0.2.3"),   *IpAddress::parse("192.0.2.1"),
                                *IpAddress::parse("2001:db8::1"), *IpAddress::parse("2001:db8::2")};
  f.make();
  CHECK(resolve(f, "two.test") == "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2 192.0.2.3");
  CHECK(f.server.asked.size() == 2);
}

TEST_CASE("an IP literal answers with itself and asks nobody") {
  Fixture f;
  f.make();
  CHECK(resolve(f, "192.0.2.7") == "192.0.2.7");
  CHECK(resolve(f, "[2001:db8::7]") == "2001:db8::7");
  CHECK(f.server.asked.empty());
}

TEST_CASE("the hosts file comes first, and its change is seen at the next look-up") {
  Fixture f;
  f.server.add("pinned.test", "192.0.2.1");
  f.make();
  CHECK(resolve(f, "pinned.test") == "192.0.2.99");
  CHECK(f.server.asked.empty());
  f.write("hosts", "192.0.2.98 pinned.test\n");
  CHECK(resolve(f, "pinned.test") == "192.0.2.98");
  f.write("hosts", "\n");
  CHECK(resolve(f, "pinned.test") == "192.0.2.1");
}

TEST_CASE("a change of resolv.conf moves to other servers, also for what is cached") {
  Fixture f;
  f.server.add("a.test", "192.0.2.1");
  f.make();
  CHECK(resolve(f, "a.test") == "192.0.2.1");
  f.server.table["a.test"] = {*IpAddress::parse("192.0.2.2")};
  CHECK(resolve(f, "a.test") == "192.0.2.1");

  f.server.mute.insert("slow.test");
  Lookup slow;
  slow.start(*f.resolver, "slow.test", 50ms);
  f.write("resolv.conf", "nameserver 127.0.0.2\n# another\n");
  CHECK(resolve(f, "a.test") == "192.0.2.2");
  CHECK(run_until(f.loop, [&] { return slow.result.has_value(); }));
  CHECK(slow.text() == "resolve_timeout");
}

TEST_CASE("localhost is loopback without a question") {
  Fixture f;
  f.make();
  for (const auto* name : {"localhost", "x.localhost"}) {
    CHECK(resolve(f, name) == "::1 127.0.0.1");
  }
  CHECK(f.server.asked.empty());
}

TEST_CASE("no search domain is appended") {
  Fixture f;
  f.server.add("short.corp.test", "192.0.2.1");
  f.server.add("short.example.corp.test", "192.0.2.1");
  f.make();
  CHECK(resolve(f, "short") == "resolve_failed");
  CHECK(resolve(f, "short.example") == "resolve_failed");
  for (const auto& name : f.server.asked) CHECK(name.find("corp.test") == std::string::npos);
}

TEST_CASE("a name that does not exist fails, and is not asked for again at once") {
  Fixture f;
  f.make();
  Lookup lookup;
  lookup.start(*f.resolver, "none.test");
  CHECK(run_until(f.loop, [&] { return lookup.result.has_value(); }));
  REQUIRE_FALSE(*lookup.result);
  CHECK(lookup.result->error().code == Code::kResolveFailed);
  CHECK(lookup.result->error().fault == Fault::kOrigin);
  CHECK(lookup.result->error().detail.starts_with("none.test: "));
  const auto count = f.server.asked.size();
  CHECK(resolve(f, "none.test") == "resolve_failed");
  CHECK(f.server.asked.size() == count);
}

TEST_CASE("answers are cached for their time, at least and at most for ours") {
  Fixture f;
  f.options.min_ttl = 0s;
  f.server.add("a.test", "192.0.2.1");
  f.make();
  f.server.ttl = 0;
  CHECK(resolve(f, "a.test") == "192.0.2.1");
  CHECK(resolve(f, "a.test") == "192.0.2.1");
  CHECK(f.server.asked.size() == 4);
  f.server.ttl = 60;
  CHECK(resolve(f, "a.test") == "192.0.2.1");
  CHECK(resolve(f, "a.test") == "192.0.2.1");
  CHECK(f.server.asked.size() == 6);
}

TEST_CASE("the cache is bounded, the least recently used name goes") {
  Fixture f;
  f.options.max_cached = 2;
  for (const auto* name : {"a.test", "b.test", "c.test"}) f.server.add(name, "192.0.2.1");
  f.make();
  resolve(f, "a.test");
  resolve(f, "b.test");
  resolve(f, "a.test");
  resolve(f, "c.test");
  f.server.asked.clear();
  resolve(f, "a.test");
  CHECK(f.server.asked.empty());
  resolve(f, "b.test");
  CHECK_FALSE(f.server.asked.empty());
}

TEST_CASE("look-ups for one name share a query; one that is cancelled does not end it") {
  Fixture f;
  f.server.add("a.test", "192.0.2.1");
  f.make();
  Lookup one;
  Lookup two;
  Lookup three;
  one.start(*f.resolver, "a.test");
  two.start(*f.resolver, "a.test");
  three.start(*f.resolver, "a.test");
  one.pending.reset();
  CHECK(run_until(f.loop, [&] { return two.result && three.result; }));
  CHECK_FALSE(one.result.has_value());
  CHECK(two.text() == "192.0.2.1");
  CHECK(three.text() == "192.0.2.1");
  CHECK(f.server.asked.size() == 2);
}

TEST_CASE("a callback may cancel another that is ready, and ask again") {
  Fixture f;
  f.make();
  Lookup other;
  Lookup nested;
  bool done = false;
  auto first = f.resolver->resolve(*Host::parse("192.0.2.1"), "", 1s, [&](const auto&) {
    other.pending.reset();
    nested.start(*f.resolver, "192.0.2.2");
    done = true;
  });
  other.start(*f.resolver, "192.0.2.3");
  CHECK(run_until(f.loop, [&] { return done && nested.result; }));
  CHECK_FALSE(other.result.has_value());
  CHECK(nested.text() == "192.0.2.2");
}

TEST_CASE("each waiter has its own patience") {
  Fixture f;
  f.server.mute.insert("slow.test");
  f.make();
  Lookup hasty;
  Lookup patient;
  hasty.start(*f.resolver, "slow.test", 10ms);
  patient.start(*f.resolver, "slow.test", 3s);
  CHECK(run_until(f.loop, [&] { return hasty.result.has_value(); }));
  CHECK(hasty.result->error().code == Code::kResolveTimeout);
  CHECK(hasty.result->error().detail == "slow.test: no answer in time");
  CHECK_FALSE(patient.result.has_value());
  CHECK(run_until(f.loop, [&] { return patient.result.has_value(); }));
  CHECK(patient.text() == "resolve_timeout");
}

TEST_CASE("a lost datagram is asked for again") {
  Fixture f;
  f.options.try_time = 1s;
  f.server.add("a.test", "192.0.2.1");
  f.server.mute.insert("a.test");
  f.make();
  Lookup lookup;
  lookup.start(*f.resolver, "a.test");
  CHECK(run_until(f.loop, [&] { return f.server.asked.size() >= 2; }));
  f.server.mute.clear();
  CHECK(run_until(f.loop, [&] { return lookup.result.has_value(); }));
  CHECK(lookup.text() == "192.0.2.1");
}

TEST_CASE("too many look-ups at once are refused, those that share are not") {
  Fixture f;
  f.options.max_running = 2;
  for (const auto* name : {"a.test", "b.test", "c.test"}) f.server.mute.insert(name);
  f.make();
  Lookup a;
  Lookup b;
  Lookup c;
  Lookup a2;
  a.start(*f.resolver, "a.test");
  b.start(*f.resolver, "b.test");
  c.start(*f.resolver, "c.test");
  a2.start(*f.resolver, "a.test");
  CHECK(run_until(f.loop, [&] { return c.result.has_value(); }));
  CHECK(c.result->error().code == Code::kNoMemoryLeft);
  CHECK(c.result->error().fault == Fault::kProxy);
  CHECK_FALSE(a2.result.has_value());
}

TEST_CASE("one owner's look-ups are bounded until they have ended, others have their own") {
  Fixture f;
  f.options.max_per_owner = 2;
  f.options.try_time = 1s;
  for (const auto* name : {"a.test", "b.test", "c.test"}) f.server.mute.insert(name);
  f.server.add("d.test", "192.0.2.1");
  f.make();
  Lookup a;
  Lookup b;
  Lookup c;
  Lookup shared;
  Lookup other;
  a.start(*f.resolver, "a.test", 10s, "one");
  b.start(*f.resolver, "b.test", 10s, "one");
  a.pending.reset();  // the query goes on, and counts
  c.start(*f.resolver, "c.test", 10s, "one");
  shared.start(*f.resolver, "b.test", 10s, "one");
  other.start(*f.resolver, "d.test", 10s, "other");
  CHECK(run_until(f.loop, [&] { return c.result && other.result; }));
  CHECK(c.result->error().code == Code::kNoMemoryLeft);
  CHECK(c.result->error().fault == Fault::kProxy);
  CHECK(c.result->error().detail == "2 look-ups of this client are under way");
  CHECK(other.text() == "192.0.2.1");
  CHECK_FALSE(shared.result.has_value());

  f.server.add("b.test", "192.0.2.2");  // answers the next try
  f.server.mute.erase("b.test");
  CHECK(run_until(f.loop, [&] { return b.result && shared.result; }));
  Lookup next;
  next.start(*f.resolver, "d2.test", 10s, "one");
  CHECK(run_until(f.loop, [&] { return next.result.has_value(); }));
  CHECK(next.text() == "resolve_failed");  // asked for, and there is none
}

TEST_CASE("hundreds of addresses come over TCP, and are cut to the limit") {
  Fixture f;
  for (int i = 0; i < 300; ++i) {
    f.server.add("many.test", "192.0." + std::to_string(i / 200) + "." + std::to_string(i % 200));
    f.server.add("many.test", "2001:db8::" + std::to_string(i));
  }
  f.make();
  Lookup lookup;
  lookup.start(*f.resolver, "many.test");
  CHECK(run_until(f.loop, [&] { return lookup.result.has_value(); }));
  REQUIRE(*lookup.result);
  CHECK((*lookup.result)->size() == Resolver::kMaxAddresses);
  CHECK(f.server.tcp_questions > 0);
}

TEST_CASE("a mapped address in an AAAA record comes through unchanged, for the guard to judge") {
  Fixture f;
  f.server.add("sly.test", "::ffff:169.254.169.254");
  f.make();
  Lookup lookup;
  lookup.start(*f.resolver, "sly.test");
  CHECK(run_until(f.loop, [&] { return lookup.result.has_value(); }));
  REQUIRE(*lookup.result);
  REQUIRE((*lookup.result)->size() == 1);
  CHECK_FALSE((*lookup.result)->front().is_v4());
}

TEST_CASE("garbage from a name server is a failure or silence, never more") {
  Fixture f;
  f.server.add("a.test", "192.0.2.1");
  f.make();
  for (const std::string& raw :
       {std::string(1, '\0'), std::string(10, '\xff'), std::string(1400, '\xc0'),
        std::string("\x81\x80\x00\x01\xff\xff\x00\x00\x00\x00", 10)}) {
    f.server.raw = raw;
    Lookup lookup;
    lookup.start(*f.resolver, "a.test", 30ms);
    CHECK(run_until(f.loop, [&] { return lookup.result.has_value(); }));
    CHECK_FALSE(*lookup.result);
    f.write("hosts", "# forget " + std::to_string(raw.size()) + "\n");
  }
  f.server.raw.clear();
  f.server.wrong_id = true;
  Lookup forged;
  forged.start(*f.resolver, "forged.test", 30ms);
  CHECK(run_until(f.loop, [&] { return forged.result.has_value(); }));
  CHECK(forged.text() == "resolve_timeout");
}

TEST_CASE("a resolver may go before those who wait, and they stay silent") {
  Fixture f;
  f.server.mute.insert("slow.test");
  f.make();
  Lookup running;
  Lookup ready;
  running.start(*f.resolver, "slow.test", 10ms);
  ready.start(*f.resolver, "192.0.2.1");
  f.resolver.reset();
  bool end = false;
  leash::net::Timer timer(f.loop, [&] { end = true; });
  timer.start(20ms);
  CHECK(run_until(f.loop, [&] { return end; }));
  CHECK_FALSE(running.result.has_value());
  CHECK_FALSE(ready.result.has_value());
}
