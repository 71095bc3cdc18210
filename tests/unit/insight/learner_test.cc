#include "insight/learner.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "base/text.h"
#include "config/policy_reader.h"
#include "insight/suffixes.h"
#include "policy/decide.h"

namespace leash::insight {
namespace {

using config::PolicyList;

const Moment kNow = *parse_moment("2026-06-01T00:00:00Z", Moment{});

LogEvent request(const std::string& host, std::uint64_t port, const std::string& method,
                 const std::string& path) {
  LogEvent event;
  event.event = "allowed";
  event.ts = 1'767'225'600;
  event.time = moment_of(*event.ts);
  event.client = "10.0.0.1";
  event.host = host;
  event.port = port;
  event.method = method;
  const bool is_v6 = host.find(':') != std::string::npos;
  event.url = "https://" + (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port) + path;
  event.status = 200;
  return event;
}

LogEvent tunnel(const std::string& host, const std::string& id, std::uint64_t bytes = 10) {
  LogEvent event;
  event.event = "tunnel_closed";
  event.host = host;
  event.port = 443;
  event.id = id;
  event.tls = "splice";
  event.bytes_down = bytes;
  return event;
}

// What the policy reader makes of a text; a fault in it fails the test.
std::shared_ptr<const policy::EntryMap> read(const std::string& text) {
  auto entries = std::make_shared<policy::EntryMap>();
  const auto done =
      config::read_policy_text(text, PolicyList::kEnforce, [&](policy::Entry&& entry) {
        CHECK(entry.health == policy::Health::kGood);
        entries->add(std::move(entry));
      });
  CAPTURE(text);
  REQUIRE_FALSE(done.is_broken);
  CHECK(done.findings.empty());
  return entries;
}

std::string with_entries(const std::string& today, const Proposal& proposal) {
  auto text = config::text_with_entries(PolicyList::kEnforce, today, proposal.entries);
  REQUIRE_MESSAGE(text.has_value(), (text ? "" : text.error().detail));
  return *text;
}

base::Host host_of(const std::string& text) {
  const auto ip = base::IpAddress::parse(text);
  return ip ? base::Host::from_ip(*ip) : base::Host::parse(text).value_or(base::Host());
}

bool allows(const std::shared_ptr<const policy::EntryMap>& entries, const std::string& host,
            std::uint16_t port, std::string_view method, std::string_view path) {
  policy::Snapshot snapshot;
  snapshot.enforce = entries;
  snapshot.blocklist = std::make_shared<const policy::EntryMap>();
  const base::Host canonical = host_of(host);
  return policy::decide(snapshot, {canonical, port, {}, {}}, kNow).is_allowed &&
         policy::decide(snapshot, {canonical, port, method, path}, kNow).is_allowed;
}

Proposal learn(const std::vector<LogEvent>& events, const std::string& today = "",
               std::uint64_t min_requests = 1) {
  Learner learner(today.empty() ? nullptr : read(today), kNow);
  for (const LogEvent& event : events) learner.add(event);
  return learner.propose(min_requests);
}

bool names(const Proposal& proposal, const std::string& host) {
  return std::any_of(proposal.entries.begin(), proposal.entries.end(),
                     [&](const auto& added) { return added.entry.host.text() == host; });
}

bool has_left_out(const Proposal& proposal, const std::string& part) {
  return std::any_of(proposal.left_out.begin(), proposal.left_out.end(),
                     [&](const auto& line) { return line.find(part) != std::string::npos; });
}

}  // namespace

TEST_CASE("an entry has the ports, methods and paths that were used, and says how it came") {
  std::vector<LogEvent> events;
  for (int i = 0; i < 6; ++i)
    events.push_back(request("api.example.net", 443, "POST", "/v1/messages?key=1"));
  for (int i = 0; i < 6; ++i)
    events.push_back(request("api.example.net", 443, "GET", "/v1/models/" + std::to_string(i)));
  const std::string text = with_entries("", learn(events));
  CHECK(text ==
        "allow:\n"
        "  # 12 requests by 10.0.0.1, 2026-01-01T00:00:00Z to 2026-01-01T00:00:00Z\n"
        "  # such as POST https://api.example.net:443/v1/messages\n"
        "  #   6 of GET /v1/models/\n"
        "  #   6 of POST /v1/messages\n"
        "  - host: api.example.net\n"
        "    paths:\n"
        "      - { method: GET, prefix: /v1/models/ }\n"
        "      - { method: POST, prefix: /v1/messages }\n");
}

TEST_CASE("ports with the same rules share an entry") {
  const auto proposal =
      learn({request("a.example", 80, "GET", "/"), request("a.example", 443, "GET", "/x")});
  REQUIRE(proposal.entries.size() == 1);
  CHECK(proposal.entries[0].entry.ports == std::vector<std::uint16_t>{80, 443});
}

TEST_CASE("what was refused, failed, or had another name inside is no evidence") {
  LogEvent blocked = request("a.example", 443, "GET", "/");
  blocked.event = "blocked";
  LogEvent failed = request("b.example", 443, "GET", "/");
  failed.event = "error";
  LogEvent intent = request("c.example", 443, "GET", "/");
  intent.event = "request";
  LogEvent connect = request("d.example", 443, "", "");
  connect.event = "connect_allowed";
  connect.url.clear();
  LogEvent other = request("e.example", 443, "GET", "/");
  other.names = "mismatch: sni f.example";
  const auto proposal = learn({blocked, failed, intent, connect, other});
  CHECK(proposal.entries.empty());
  CHECK(has_left_out(proposal, "names disagree"));
}

TEST_CASE("a spliced tunnel that carried something is proposed as one") {
  const auto proposal = learn({tunnel("pinned.example", "1")});
  CHECK(with_entries("", proposal).find("  - host: pinned.example\n    tls: splice\n") !=
        std::string::npos);
}

TEST_CASE("tunnels that were refused or carried nothing are not proposed") {
  LogEvent refused;
  refused.event = "blocked";
  refused.host = "a.example";
  refused.id = "1";
  LogEvent idle = tunnel("c.example", "3");
  idle.tls.clear();
  LogEvent read_one = tunnel("d.example", "4");
  read_one.tls.clear();
  read_one.requests = 2;
  const auto proposal =
      learn({refused, tunnel("a.example", "1"), tunnel("b.example", "2", 0), idle, read_one});
  CHECK(proposal.entries.empty());
  CHECK(has_left_out(proposal, "c.example:443 (1 tunnel): no request inside"));
  CHECK_FALSE(has_left_out(proposal, "d.example"));
}

TEST_CASE("many hosts of one owner get one entry, a few get one each") {
  std::vector<LogEvent> events;
  for (int i = 0; i < 8; ++i)
    events.push_back(request("c" + std::to_string(i) + ".cdn.example.net", 443, "GET", "/"));
  for (int i = 0; i < 7; ++i)
    events.push_back(request("c" + std::to_string(i) + ".few.net", 443, "GET", "/"));
  const auto proposal = learn(events);
  CHECK(proposal.entries.size() == 8);
  CHECK(names(proposal, "cdn.example.net"));
  CHECK_FALSE(names(proposal, "few.net"));
}

TEST_CASE("no entry covers a name that strangers share") {
  std::vector<LogEvent> events;
  for (const char* parent : {"github.io", "co.uk", "s3.amazonaws.com", "blob.core.windows.net",
                             "eu.amazonaws.com", "cloudfront.net", "herokuapp.com", "com"}) {
    for (int i = 0; i < 20; ++i) {
      events.push_back(request("b" + std::to_string(i) + "." + parent, 443, "GET", "/"));
    }
    events.push_back(request(parent, 443, "GET", "/"));
  }
  const auto proposal = learn(events);
  for (const auto& added : proposal.entries) {
    CAPTURE(added.entry.host.text());
    CHECK(shared_name_warning(added.entry.host).empty());
    CHECK((added.entry.host.text().starts_with("b") || added.entry.host.text() == "com" ||
           added.entry.host.text() == "eu.amazonaws.com"));
  }
  CHECK(has_left_out(proposal, "github.io:443 (1 request): github.io is a shared hosting domain"));
  CHECK(has_left_out(proposal, "co.uk is a public suffix"));
}

TEST_CASE("few requests can be left out") {
  std::vector<LogEvent> events(4, request("often.example", 443, "GET", "/"));
  events.push_back(request("once.example", 443, "GET", "/"));
  const auto proposal = learn(events, "", 2);
  CHECK(names(proposal, "often.example"));
  CHECK_FALSE(names(proposal, "once.example"));
  CHECK(has_left_out(proposal, "once.example:443 (1 request): fewer than 2 requests"));
}

TEST_CASE("a metadata service is never proposed, another address is with a word of warning") {
  const auto proposal =
      learn({request("169.254.169.254", 80, "GET", "/latest/meta-data/"),
             request("10.1.2.3", 80, "GET", "/"), request("2001:4860::1", 443, "GET", "/")});
  CHECK_FALSE(names(proposal, "169.254.169.254"));
  CHECK(has_left_out(proposal, "metadata"));
  CHECK(with_entries("", proposal).find("opens it in every mode\n  - host: 10.1.2.3\n") !=
        std::string::npos);
  CHECK(names(proposal, "2001:4860::1"));
}

TEST_CASE("what today's policy allows is not proposed again") {
  const std::string today =
      "allow:\n  - host: a.example\n  - host: b.example\n    paths: [{method: GET, prefix: /ok}]\n";
  const std::vector<LogEvent> events = {
      request("a.example", 443, "PUT", "/x"), request("sub.a.example", 443, "GET", "/"),
      request("b.example", 443, "GET", "/ok/1"), request("b.example", 443, "POST", "/new")};
  const auto proposal = learn(events, today);
  REQUIRE(proposal.entries.size() == 1);
  CHECK(proposal.entries[0].entry.host.text() == "b.example");
  REQUIRE(proposal.entries[0].entry.paths.size() == 1);
  CHECK(proposal.entries[0].entry.paths[0].method == "POST");
  CHECK(proposal.places_allowed == 2);
}

TEST_CASE("an entry that takes the place of a parent's keeps what was used of it") {
  const std::string today = "allow:\n  - host: a.example\n";
  const auto proposal =
      learn({request("x.a.example", 8443, "GET", "/"), request("x.a.example", 443, "GET", "/"),
             request("deep.x.a.example", 443, "GET", "/")},
            today);
  const std::string text = with_entries(today, proposal);
  CHECK(text.find("takes the place of enforce.yaml:2 a.example for this host") !=
        std::string::npos);
  const auto entries = read(text);
  CHECK(allows(entries, "x.a.example", 443, "GET", "/"));
  CHECK(allows(entries, "x.a.example", 8443, "GET", "/"));
  CHECK(allows(entries, "deep.x.a.example", 443, "GET", "/"));
  CHECK_FALSE(allows(entries, "deep.x.a.example", 8443, "GET", "/"));
}

TEST_CASE("an entry that would take networks or tls from a host is left to people") {
  const std::string today = "allow:\n  - host: a.example\n    networks: [10.0.0.0/8]\n";
  const auto proposal = learn({request("x.a.example", 8443, "GET", "/")}, today);
  CHECK(proposal.entries.empty());
  CHECK(has_left_out(proposal, "edit by hand"));
}

TEST_CASE("a log of a hostile agent gives a policy that reads, and that is as narrow as the log") {
  std::mt19937 random(20'260'101);
  const auto pick = [&](const auto& from) { return from[random() % from.size()]; };
  const std::vector<std::string> hosts = {"api.example.net",
                                          "a.b.example.net",
                                          "example.net",
                                          "sub.api.example.net",
                                          "x.test",
                                          "10.0.0.7",
                                          "2001:db8::7",
                                          "xn--mnchen-3ya.example",
                                          "_dmarc.example.org",
                                          "y",
                                          "no",
                                          "null",
                                          "a.github.io",
                                          "github.io",
                                          "yes.on"};
  const std::vector<std::string> strange_hosts = {"",
                                                  "*",
                                                  "*.example.net",
                                                  "A.EXAMPLE.net",
                                                  "a b",
                                                  "a\n  - host: evil.test",
                                                  "x.test.",
                                                  "x.test # c",
                                                  "[::1]",
                                                  "1.2.3",
                                                  "..",
                                                  "a@b",
                                                  "\x1b[31m",
                                                  "\xff.test",
                                                  "{a: b}",
                                                  "&a",
                                                  "!!str",
                                                  "evil.test\r",
                                                  "- x"};
  const std::vector<std::string> segments = {
      "v1",     "messages", "a#b",          "a: b", "{x}",    "[1]", "\"",
      "'",      "*all",     "&anchor",      "%zz",  "%2e%2e", "..",  ".",
      "a\nb",   "\x1b[2J",  "\xe2\x80\xae", "\xff", "12345",  "",    "!!map",
      "|",      ">",        "- x",          "~",    "null",   "a,b", "`",
      "@types", "%41",      "a;b",          "..;",  "a\\b"};
  const std::vector<std::string> methods = {"GET",   "get",  "POST", "M-SEARCH",
                                            "{",     "A\nB", "",     "X_Y",
                                            "MKCOL", "G'T",  "no",   std::string(40, 'A')};
  const std::vector<std::string> todays = {
      "", "", "allow:\n  - host: example.net\n",
      "allow:\n  - host: api.example.net\n    ports: [8443]\n",
      "# x\nallow:\n- host: x.test\n  paths:\n  - { method: GET, prefix: /v1 }\n"};
  for (int round = 0; round < 400; ++round) {
    std::vector<LogEvent> events;
    const bool has_group = random() % 4 == 0;
    for (std::size_t i = 1 + random() % 60; i > 0; --i) {
      std::string host = random() % 8 == 0 ? pick(strange_hosts) : pick(hosts);
      if (has_group && random() % 2 == 0)
        host = "n" + std::to_string(random() % 12) + ".many.example.com";
      std::string path;
      for (std::size_t k = random() % 5; k > 0; --k) {
        path += "/" + segments[random() % (random() % 2 == 0 ? 2 : segments.size())];
      }
      if (path.empty()) path = pick(std::vector<std::string>{"/", "", "*", "/?q=#x", "?q"});
      const std::uint64_t port =
          pick(std::vector<std::uint64_t>{443, 443, 443, 80, 8443, 0, 65535, 65536});
      events.push_back(request(host, port, random() % 3 == 0 ? pick(methods) : "GET", path));
      events.back().agent = pick(segments);
      if (random() % 10 == 0) events.back().addr = "10.9.8.7:443";
      if (random() % 12 == 0) events.push_back(tunnel(host, std::to_string(i)));
    }
    const std::string today = pick(todays);
    const auto before = read(today.empty() ? "allow: []\n" : today);
    const Proposal proposal = learn(events, today);
    const std::string text = with_entries(today, proposal);
    const auto entries = read(text);
    CHECK(std::all_of(text.begin(), text.end(),
                      [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); }));
    for (const std::string& line : proposal.left_out) {
      CHECK(std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c <= '~'; }));
    }

    // Every request of the evidence passes, unless it was told that it does not.
    for (const LogEvent& event : events) {
      if (event.event != "allowed" || *event.port == 0 || *event.port > 65535) continue;
      const auto path_at = event.url.find_first_of("/?#*", event.url.find("://") + 3);
      std::string path = path_at == std::string::npos ? "/" : event.url.substr(path_at);
      if (path.starts_with('?')) path.insert(0, "/");
      const base::Host host = host_of(event.host);
      if (host.empty() || host.text() != event.host || !path.starts_with('/')) continue;
      const auto method = config::parse_policy_method(event.method);
      if (!method || method->empty() || policy::is_ambiguous_path(path)) continue;
      const base::Authority authority{host, static_cast<std::uint16_t>(*event.port)};
      if (has_left_out(proposal, authority.text() + " (")) continue;
      CAPTURE(text);
      CAPTURE(event.url);
      CHECK(allows(entries, event.host, authority.port, event.method, path));
    }

    // Nothing is listed but what was asked for.
    for (const auto& added : proposal.entries) {
      const std::string& name = added.entry.host.text();
      CAPTURE(name);
      CHECK(shared_name_warning(added.entry.host).empty());
      const auto at_entry = [&](const LogEvent& event) {
        return event.host == name ||
               (name == "many.example.com" && event.host.ends_with("." + name));
      };
      CHECK_FALSE(added.entry.ports.empty());
      for (const std::uint16_t port : added.entry.ports) {
        CHECK(std::any_of(events.begin(), events.end(), [&](const LogEvent& event) {
          return at_entry(event) && event.port == port;
        }));
      }
      for (const policy::PathRule& rule : added.entry.paths) {
        CHECK(config::prefix_fault(rule.prefix).empty());
        CHECK_FALSE(rule.method.empty());
        CHECK(std::any_of(events.begin(), events.end(), [&](const LogEvent& event) {
          return at_entry(event) && base::equals_ignoring_case(event.method, rule.method);
        }));
      }
      if (added.entry.paths.empty()) CHECK(added.entry.tls == policy::TlsMode::kSplice);
    }
    // No host outside gains anything.
    for (const char* outside :
         {"evil.test", "other.org", "many.example.com.evil.test", "example.com", "org", "10.0.0.8",
          "2001:db8::8", "b.github.io", "zx.test"}) {
      CAPTURE(outside);
      CHECK_FALSE(allows(entries, outside, 443, "GET", "/v1/messages"));
    }
    CHECK_FALSE(allows(entries, "x.test", 22, "GET", "/"));
    const bool is_spliced = std::any_of(events.begin(), events.end(), [](const LogEvent& event) {
      return event.event == "tunnel_closed" && event.host == "x.test";
    });
    if (!is_spliced) CHECK_FALSE(allows(entries, "x.test", 443, "DELETE", "/"));
  }
}

TEST_CASE("memory is bounded: what is beyond is told") {
  Learner learner(nullptr, kNow);
  for (int i = 0; i < 20'010; ++i)
    learner.add(request("h" + std::to_string(i) + ".github.io", 443, "GET", "/"));
  const auto proposal = learner.propose(1);
  CHECK(proposal.entries.size() == 20'000);
  CHECK(has_left_out(proposal, "10 requests to further hosts"));
}

}  // namespace leash::insight
