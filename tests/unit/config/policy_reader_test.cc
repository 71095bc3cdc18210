#include "config/policy_reader.h"

#include <doctest/doctest.h>

#include <random>
#include <set>

#include "policy/decide.h"

namespace leash::config {
namespace {

using policy::Entry;
using policy::Health;

struct Reading {
  PolicyText file;
  std::vector<Entry> entries;
};

Reading read(PolicyList list, std::string_view text) {
  Reading out;
  out.file =
      read_policy_text(text, list, [&](Entry&& entry) { out.entries.push_back(std::move(entry)); });
  return out;
}

Reading allow(const std::string& lines) { return read(PolicyList::kEnforce, "allow:\n" + lines); }
Reading block(const std::string& lines) { return read(PolicyList::kBlocklist, "block:\n" + lines); }

TEST_CASE("a full allow entry is read with its line") {
  const auto got = allow(
      "  # comment\n"
      "  - host: '*.API.Example.NET.'\n"
      "    ports: [8443, 443, 443]\n"
      "    paths:\n"
      "      - { method: get, prefix: /v2/ }\n"
      "      - prefix: /health\n"
      "    networks: [10.20.0.0/16, 'fd00::/8']\n"
      "    reason: \"installs\"\n"
      "    expires: 2026-12-31T00:00:00Z\n");
  CHECK(got.file.findings.empty());
  REQUIRE(got.entries.size() == 1);
  const Entry& entry = got.entries[0];
  CHECK(entry.host.text() == "api.example.net");
  CHECK(entry.ports == std::vector<std::uint16_t>{443, 8443});
  CHECK(entry.paths == std::vector<policy::PathRule>{{"GET", "/v2/"}, {"", "/health"}});
  CHECK(entry.networks.size() == 2);
  CHECK(entry.reason == "installs");
  CHECK(entry.health == Health::kGood);
  CHECK(entry.file == "enforce.yaml");
  CHECK(entry.line == 3);
}

TEST_CASE("ports default to 443 in the allow list and to all in the blocklist") {
  for (const char* ports : {"", ", ports: []", ", ports: ~", ", ports:"}) {
    const std::string line = std::string("- {host: a.example") + ports + "}\n";
    CHECK(allow(line).entries.at(0).ports == std::vector<std::uint16_t>{443});
    CHECK(block(line).entries.at(0).ports.empty());
    CHECK(allow(line).file.findings.empty());
  }
}

TEST_CASE("bare hosts are entries of the blocklist only") {
  const auto blocked = block("- paste.example\n- '*.exfil.example'\n- bücher.example\n");
  CHECK(blocked.file.findings.empty());
  REQUIRE(blocked.entries.size() == 3);
  CHECK(blocked.entries[1].host.text() == "exfil.example");
  CHECK(blocked.entries[2].host.text() == "xn--bcher-kva.example");
  const auto allowed = allow("- paste.example\n");
  REQUIRE(allowed.entries.size() == 1);
  CHECK(allowed.entries[0].health == Health::kFaulty);
  CHECK(allowed.file.findings.size() == 1);
}

TEST_CASE("each fault makes the entry faulty, says where, and leaves the others alone") {
  const char* faults[] = {"ports: 443",
                          "ports: '443'",
                          "ports: ['443']",
                          "ports: [443.0]",
                          "ports: [0]",
                          "ports: [70000]",
                          "ports: [-1]",
                          "ports: [0443]",
                          "ports: [0x1bb]",
                          "ports: [[443]]",
                          "ports: {443: }",
                          "paths: /v1/",
                          "paths: ['/v1/']",
                          "paths: 5",
                          "paths: [{}]",
                          "paths: [{method: GET}]",
                          "paths: [{prefix: v1}]",
                          "paths: [{prefix: ''}]",
                          "paths: [{prefix: 5}]",
                          "paths: [{prefix: ~}]",
                          "paths: [{prefix: /, method: ~}]",
                          "paths: [{prefix: /, method: '*'}]",
                          "paths: [{prefix: /, methods: GET}]",
                          "paths: [{prefix: /, prefix: /x}]",
                          "paths: [{prefix: '/a b'}]",
                          "paths: [{prefix: /a/../b}]",
                          "paths: [{prefix: /%2e%2e/}]",
                          "paths: {prefix: /}",
                          "reason: [a]",
                          "expires: soon",
                          "expires: ",
                          "expires: 2026-12-31T00:00:00",
                          "colour: red",
                          "port: [443]",
                          "<<: {ports: [443]}",
                          "host: b.example",
                          "ports: [443]\n  ports: [80]"};
  for (const char* fault : faults) {
    const std::string lines =
        std::string("- host: a.example\n  ") + fault + "\n- host: c.example\n";
    for (const auto& got : {allow(lines), block(lines)}) {
      CHECK_FALSE(got.file.is_broken);
      REQUIRE_MESSAGE(got.entries.size() == 2, fault);
      CHECK_MESSAGE(got.entries[0].health == Health::kFaulty, fault);
      CHECK(got.entries[1].health == Health::kGood);
      REQUIRE_MESSAGE(!got.file.findings.empty(), fault);
      CHECK(got.file.findings[0].is_error);
      CHECK(got.file.findings[0].line >= 2);
    }
  }
}

TEST_CASE("networks and tls are keys of the allow list alone") {
  CHECK(allow("- {host: a.example, tls: splice}\n").entries.at(0).tls == policy::TlsMode::kSplice);
  CHECK(allow("- {host: a.example, tls: intercept}\n").file.findings.empty());
  for (const char* fault : {"tls: off", "tls: splice, paths: [{prefix: /}]", "networks: 10.0.0.0/8",
                            "networks: [10.0.0.0/33]", "networks: [all]"}) {
    const auto got = allow(std::string("- {host: a.example, ") + fault + "}\n");
    CHECK_MESSAGE(got.entries.at(0).health == Health::kFaulty, fault);
  }
  CHECK(block("- {host: a.example, tls: splice}\n").entries.at(0).health == Health::kFaulty);
  CHECK(block("- {host: a.example, networks: [10.0.0.0/8]}\n").entries.at(0).health ==
        Health::kFaulty);
}

TEST_CASE("an entry without a readable host is a finding and no entry") {
  for (const char* item :
       {"- {ports: [443]}", "- {host: }", "- {host: ''}", "- {host: '*'}", "- {host: 'a*.x.com'}",
        "- {host: .x.com}", "- {host: 10.0.0.0/8}", "- {host: 'x.com:8080'}",
        "- {host: 'https://x.com/'}", "- {host: 123}", "- {host: [x.com]}", "- ~", "- [x.com]",
        "- {host: 'a@b.example'}", "- {host: '*.'}"}) {
    const auto got = block(std::string(item) + "\n");
    CHECK_MESSAGE(got.entries.empty(), item);
    CHECK_MESSAGE(got.file.findings.size() == 1, item);
    CHECK_FALSE(got.file.is_broken);
  }
}

TEST_CASE("an empty list is a policy without entries") {
  for (const char* text : {"", "# nothing\n", "allow:\n", "allow: ~\n", "allow: []\n", "{}\n"}) {
    const auto got = read(PolicyList::kEnforce, text);
    CHECK_MESSAGE(!got.file.is_broken, text);
    CHECK(got.entries.empty());
    CHECK(got.file.findings.empty());
  }
}

TEST_CASE("a file of another shape is broken as a whole") {
  for (const char* text :
       {"- a\n", "word\n", "allow: 5\n", "allow: abc\n", "allow: {x.com: }\n", "allow: [\n",
        "allow:\n- host: a\nallow:\n- host: b\n", "allow: []\n---\nallow: []\n"}) {
    const auto got = read(PolicyList::kEnforce, text);
    CHECK_MESSAGE(got.file.is_broken, text);
    CHECK(got.file.findings.at(0).is_error);
  }
}

TEST_CASE("an unknown top-level key is a warning, a blocklist that has nothing else is broken") {
  const auto got =
      read(PolicyList::kEnforce, "version: 2\nallow:\n- host: a.example\nlists: [x]\n");
  CHECK_FALSE(got.file.is_broken);
  REQUIRE(got.file.findings.size() == 2);
  CHECK_FALSE(got.file.findings[0].is_error);
  CHECK(read(PolicyList::kBlocklist, "blocks: [a.example]\n").file.is_broken);
}

TEST_CASE("list files are relative paths that stay below the directory") {
  const auto got =
      read(PolicyList::kBlocklist, "lists: [lists/ads.txt, more.txt, lists/ads.txt]\n");
  CHECK_FALSE(got.file.is_broken);
  CHECK(got.file.lists == std::vector<std::string>{"lists/ads.txt", "more.txt"});
  for (const char* path : {"/etc/hosts", "../x", "a/../x", "./x", "a//x", "a/", "''", "~", "[x]"}) {
    CHECK_MESSAGE(
        read(PolicyList::kBlocklist, std::string("lists: [") + path + "]\n").file.is_broken, path);
  }
  CHECK(read(PolicyList::kBlocklist, "lists: ads.txt\n").file.is_broken);
}

TEST_CASE("findings are bounded in number and show no control bytes") {
  std::string lines;
  for (int i = 0; i < 500; ++i) lines += "- 'bad host'\n";
  const auto got = block(lines);
  REQUIRE(got.file.findings.size() == 101);
  CHECK(got.file.findings.back().text == "and 400 more");
  const auto escape = block("- \"\\e[31m\"\n");
  CHECK(escape.file.findings.at(0).text.find('\x1b') == std::string::npos);
}

TEST_CASE("garbling a byte of an allow file never allows a host that is not spelled in it") {
  const std::string original =
      "# our hosts\n"
      "allow:\n"
      "  - host: api.example.net\n"
      "    ports: [443, 8443]\n"
      "  - host: quay.io\n"
      "    paths:\n"
      "      - { method: GET, prefix: /v2/ }\n"
      "      - { prefix: \"/health\" }\n"
      "    expires: 2026-12-31\n"
      "  - { host: '*.deep.example.org', tls: splice }\n"
      "  - host: git.corp.example\n"
      "    networks: [10.20.0.0/16]\n"
      "    reason: \"code\"\n";
  std::mt19937 random(7);
  const std::string bytes = "\n \t-#:,[]{}'\"&*!|>%@`.az09\x04\xff";
  const auto check = [&](const std::string& text) {
    const auto got = read(PolicyList::kEnforce, text);
    if (got.file.is_broken) return;
    for (const Entry& entry : got.entries) {
      if (entry.health == Health::kFaulty) continue;
      const bool is_spelled = text.find(entry.host.text()) != std::string::npos;
      CHECK_MESSAGE(is_spelled, entry.host.text(), " from\n", text);
    }
  };
  for (std::size_t i = 0; i < original.size(); ++i) {
    std::string removed = original;
    removed.erase(i, 1);
    check(removed);
    check(original.substr(0, i));
    for (int round = 0; round < 4; ++round) {
      std::string garbled = original;
      garbled[i] = bytes[random() % bytes.size()];
      check(garbled);
      garbled.insert(i, 1, bytes[random() % bytes.size()]);
      check(garbled);
    }
  }
}

}  // namespace
}  // namespace leash::config
