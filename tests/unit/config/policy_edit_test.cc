#include "config/policy_edit.h"

#include <doctest/doctest.h>

#include "config/policy_files.h"
#include "unit/config/temp_dir.h"

namespace leash::config {
namespace {

struct Fixture {
  explicit Fixture(const std::string& text = {}, PolicyList which = PolicyList::kEnforce)
      : list(which) {
    if (!text.empty()) dir.rewrite(name(), text);
  }
  [[nodiscard]] std::string name() const {
    return list == PolicyList::kEnforce ? "enforce.yaml" : "blocklist.yaml";
  }
  [[nodiscard]] std::string text() const { return dir.read(name()); }
  [[nodiscard]] std::string add(const EntryChange& change) const {
    const auto done = add_entry(dir.path(), list, change);
    return done ? *done : done.error().text();
  }
  [[nodiscard]] std::string remove(const EntryChange& change) const {
    const auto done = remove_entry(dir.path(), list, change);
    return done ? *done : done.error().text();
  }
  TempDir dir;
  PolicyList list;
};

EntryChange host(const char* name, std::vector<std::uint16_t> ports = {}) {
  EntryChange change;
  change.host = name;
  change.ports = std::move(ports);
  return change;
}

EntryChange path(const char* name, const char* method, const char* prefix) {
  EntryChange change = host(name);
  change.method = method;
  change.prefix = prefix;
  return change;
}

constexpr const char* kText =
    "# who may be reached\n"
    "allow:\n"
    "  # the model\n"
    "  - host: api.example.net   # primary\n"
    "    reason: \"calls\"         # kept\n"
    "\n"
    "  - host: quay.io\n"
    "    ports: [443]\n"
    "    paths:\n"
    "      - { method: GET, prefix: /v2/ }   # pulls\n"
    "  # - host: not.yet.example\n"
    "extra: kept\n";

TEST_CASE("a new entry goes after the last one and nothing else moves") {
  const Fixture f(kText);
  CHECK(f.add(host("*.New.Example.", {8443})) == "allow new.example:8443: added to enforce.yaml");
  std::string expected = kText;
  const std::string mark = "/v2/ }   # pulls\n";
  expected.insert(expected.find(mark) + mark.size(), "  - host: new.example\n    ports: [8443]\n");
  CHECK(f.text() == expected);
}

TEST_CASE("all fields of a new entry are written and read back") {
  const Fixture f(kText);
  EntryChange change = path("new.example", "post", "/v1/{x}");
  change.ports = {8443, 443};
  change.reason = "say \"hi\" \\ # there";
  change.expires = "2199-12-31T00:00:00Z";
  CHECK(f.add(change).find("added to enforce.yaml") != std::string::npos);
  const auto reading = read_policy(f.dir.path());
  const auto found = reading.enforce->find(base::Host::parse("new.example").value(), {});
  REQUIRE(found.size() == 1);
  CHECK(found[0]->health == policy::Health::kGood);
  CHECK(found[0]->ports == std::vector<std::uint16_t>{443, 8443});
  CHECK(found[0]->paths == std::vector<policy::PathRule>{{"POST", "/v1/{x}"}});
  CHECK(found[0]->reason == change.reason);
  CHECK(found[0]->expires < std::chrono::system_clock::time_point::max());
}

TEST_CASE("what is covered already is not written again") {
  const Fixture f(kText);
  for (const auto& change :
       {host("api.example.net"), host("api.example.net", {443}),
        path("api.example.net", "GET", "/x"), path("quay.io", "get", "/v2/")}) {
    CHECK(f.add(change).find("already there, enforce.yaml:") != std::string::npos);
  }
  CHECK(f.text() == kText);
}

TEST_CASE("a port is added to the entry of its host") {
  const Fixture f(kText);
  CHECK(f.add(host("api.example.net", {80})).find("added to the entry at enforce.yaml:4") !=
        std::string::npos);
  CHECK(f.text().find("- host: api.example.net   # primary\n    ports: [80, 443]\n    reason") !=
        std::string::npos);
  CHECK(f.add(host("api.example.net", {8443})).find("added to the entry") != std::string::npos);
  CHECK(f.text().find("ports: [80, 443, 8443]") != std::string::npos);
}

TEST_CASE("a path is added to the rules of its host, a whole host beside them") {
  const Fixture f(kText);
  CHECK(f.add(path("quay.io", "HEAD", "/v2/x")).find("added to the entry") != std::string::npos);
  CHECK(f.text().find("# pulls\n      - { method: HEAD, prefix: /v2/x }\n") != std::string::npos);
  CHECK(f.add(host("quay.io")).find("added to enforce.yaml") != std::string::npos);
  CHECK(f.text().find("prefix: /v2/x }\n  - host: quay.io\n") != std::string::npos);
}

TEST_CASE("path rules in a flow list grow in place") {
  const Fixture f("allow:\n- host: q.example\n  paths: [{ prefix: /a }]  # c\n");
  CHECK(f.add(path("q.example", "", "/b")).find("added to the entry") != std::string::npos);
  CHECK(f.text() == "allow:\n- host: q.example\n  paths: [{ prefix: /a }, { prefix: /b }]  # c\n");
}

TEST_CASE("entries that open networks or expire are not widened, a second entry is added") {
  const Fixture f(
      "allow:\n- host: g.example\n  networks: [10.0.0.0/8]\n- host: e.example\n  expires: "
      "2199-01-01\n");
  CHECK(f.add(host("g.example", {80})).find("added to enforce.yaml") != std::string::npos);
  CHECK(f.add(host("e.example")).find("added to enforce.yaml") != std::string::npos);
  const auto reading = read_policy(f.dir.path());
  CHECK(reading.enforce->size() == 4);
}

TEST_CASE("an empty, missing or null list takes its first entry") {
  CHECK(Fixture("allow: []  # none\n").add(host("a.example")).find("added") != std::string::npos);
  for (const char* text : {"allow: []  # none\n", "allow:\n", "allow:\n  # - host: x\n",
                           "# only words", "other: 1\n", "---\n",
                           "\xef\xbb\xbf"
                           "allow: []\n",
                           "allow: []\r\n"}) {
    const Fixture f(text);
    CHECK_MESSAGE(f.add(host("a.example")).find("added to enforce.yaml") != std::string::npos,
                  text);
    CHECK_MESSAGE(read_policy(f.dir.path()).enforce->size() == 1, f.text());
  }
  const Fixture missing;
  CHECK(missing.add(host("a.example")).find("added") != std::string::npos);
  CHECK(missing.text() == "allow:\n  - host: a.example\n");
}

TEST_CASE("a list in a shape that cannot be edited is left alone") {
  for (const char* text :
       {"allow: [{host: b.example}]\n", "{allow: []}\n", "allow: ~\n", "allow: []\n...\n"}) {
    const Fixture f(text);
    const auto said = f.add(host("a.example"));
    if (said.find("added") == std::string::npos) {
      CHECK_MESSAGE(said.find("edit it by hand") != std::string::npos, said);
      CHECK(f.text() == text);
    } else {
      CHECK(read_policy(f.dir.path()).enforce->size() == 1);
    }
  }
  CHECK(Fixture("allow: [{host: b.example}]\n").add(host("a.example")).find("[...]") !=
        std::string::npos);
}

TEST_CASE("a broken file is left alone and says where") {
  const Fixture f("allow:\n- host: [\n");
  CHECK(f.add(host("a.example")).find("bad_policy: enforce.yaml:") == 0);
  CHECK(f.text() == "allow:\n- host: [\n");
}

TEST_CASE("bad input is refused before anything is read") {
  const Fixture f(kText);
  EntryChange reason = host("a.example");
  reason.reason = "a\nb";
  EntryChange date = host("a.example");
  date.expires = "soon";
  EntryChange past = host("a.example");
  past.expires = "2020-01-01";
  for (const auto& change :
       {host(""), host("a b"), host("x\ny"), host("a.example", {0}), path("a.example", "G T", "/"),
        path("a.example", "GET", "v1"), path("a.example", "", "/a/../b"), reason, date, past}) {
    CHECK_MESSAGE(f.add(change).find("bad_config") == 0, f.add(change));
  }
  CHECK(f.text() == kText);
}

TEST_CASE("an entry is removed with its lines, comments around it stay") {
  const Fixture f(kText);
  CHECK(f.remove(host("API.example.net")) == "allow api.example.net: removed from enforce.yaml");
  CHECK(f.text().find("  # the model\n\n  - host: quay.io\n") != std::string::npos);
  CHECK(f.remove(host("quay.io")).find("removed") != std::string::npos);
  CHECK(read_policy(f.dir.path()).enforce->size() == 0);
  CHECK(f.text().find("extra: kept") != std::string::npos);
}

TEST_CASE("removing the last path rule removes the entry, never its restriction") {
  const Fixture f(kText);
  CHECK(f.add(path("quay.io", "HEAD", "/v2/x")).find("added") != std::string::npos);
  CHECK(f.remove(path("quay.io", "GET", "/v2/")).find("removed") != std::string::npos);
  CHECK(f.text().find("    paths:\n      - { method: HEAD, prefix: /v2/x }\n") !=
        std::string::npos);
  CHECK(f.remove(path("quay.io", "HEAD", "/v2/x")).find("removed") != std::string::npos);
  CHECK(f.text().find("quay.io") == std::string::npos);
}

TEST_CASE("rules in a flow list are removed at either end") {
  const Fixture f(
      "allow:\n- host: q.example\n  paths: [{ prefix: /a }, { prefix: /b }, { prefix: /c }]\n");
  CHECK(f.remove(path("q.example", "", "/a")).find("removed") != std::string::npos);
  CHECK(f.remove(path("q.example", "", "/c")).find("removed") != std::string::npos);
  CHECK(f.text() == "allow:\n- host: q.example\n  paths: [{ prefix: /b }]\n");
}

TEST_CASE("a port is removed, the last port takes the entry") {
  const Fixture f("allow:\n- host: p.example\n  ports: [80, 443]\n- host: d.example\n");
  CHECK(f.remove(host("p.example", {80})).find("removed") != std::string::npos);
  CHECK(f.text().find("ports: [443]") != std::string::npos);
  CHECK(f.remove(host("p.example", {443})).find("removed") != std::string::npos);
  CHECK(f.text() == "allow:\n- host: d.example\n");
  CHECK(f.remove(host("d.example", {443})).find("removed") != std::string::npos);
}

TEST_CASE("removing what is not there is an error that names the parent") {
  const Fixture f(kText);
  CHECK(f.remove(host("www.quay.io")) ==
        "bad_config: www.quay.io is not in enforce.yaml (line 7 lists quay.io, which covers it)");
  CHECK(f.remove(path("quay.io", "PUT", "/v2/")).find("bad_config") == 0);
  CHECK(f.remove(host("quay.io", {80})).find("bad_config") == 0);
  CHECK(f.text() == kText);
}

TEST_CASE("the blocklist takes bare hosts, and a host for all ports") {
  const Fixture f("block:\n  - paste.example\n  - host: x.example\n    ports: [25]\n",
                  PolicyList::kBlocklist);
  CHECK(f.add(host("paste.example", {80})).find("already there") != std::string::npos);
  CHECK(f.add(host("x.example")).find("added to blocklist.yaml") != std::string::npos);
  CHECK(f.remove(host("paste.example", {80})).find("edit it by hand") != std::string::npos);
  CHECK(f.remove(host("paste.example")).find("removed") != std::string::npos);
  CHECK(f.remove(host("x.example")).find("(2 entries)") != std::string::npos);
}

TEST_CASE("the file keeps its mode, a symlink stays one, and no leftovers remain") {
  const Fixture f(kText);
  std::filesystem::create_directory(f.dir.at("real"));
  std::filesystem::rename(f.dir.at("enforce.yaml"), f.dir.at("real/enforce.yaml"));
  std::filesystem::create_symlink("real/enforce.yaml", f.dir.at("enforce.yaml"));
  REQUIRE(::chmod(f.dir.at("real/enforce.yaml").c_str(), 0640) == 0);
  CHECK(f.add(host("new.example")).find("added") != std::string::npos);
  struct stat info {};
  REQUIRE(::stat(f.dir.at("real/enforce.yaml").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0640);
  CHECK(std::filesystem::is_symlink(f.dir.at("enforce.yaml")));
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(f.dir.path())) {
    if (entry.symlink_status().type() == std::filesystem::file_type::regular) ++files;
  }
  CHECK(files == 1);
}

NewEntry worked_out(const char* name, std::vector<policy::PathRule> paths) {
  NewEntry added;
  added.entry.host = *base::Host::parse(name);
  added.entry.ports = {443};
  added.entry.paths = std::move(paths);
  added.comments = {"seen: #1 { x"};
  return added;
}

TEST_CASE("entries with comments go behind the last one, all at once") {
  NewEntry spliced = worked_out("b.example", {});
  spliced.entry.tls = policy::TlsMode::kSplice;
  const auto text = text_with_entries(PolicyList::kEnforce, kText,
                                      {worked_out("a.example", {{"GET", "/#x"}}), spliced});
  REQUIRE(text);
  const std::string added =
      "  # seen: #1 { x\n  - host: a.example\n    paths:\n      - { method: GET, prefix: \"/#x\" "
      "}\n"
      "  # seen: #1 { x\n  - host: b.example\n    tls: splice\n";
  std::string expected = kText;
  expected.insert(expected.find("  # - host: not.yet"), added);
  CHECK(*text == expected);
  CHECK(*text_with_entries(PolicyList::kEnforce, kText, {}) == kText);
  CHECK(*text_with_entries(PolicyList::kEnforce, "", {spliced}) ==
        "allow:\n  # seen: #1 { x\n  - host: b.example\n    tls: splice\n");
}

TEST_CASE("entries that would mean something else when read are refused") {
  const auto refused = [](const NewEntry& added) {
    return !text_with_entries(PolicyList::kEnforce, kText, {added}).has_value();
  };
  CHECK(refused(worked_out("a.example", {{"GET", "no-slash"}})));
  CHECK(refused(worked_out("a.example", {{"GET", "/a\nb"}})));
  CHECK(refused(worked_out("a.example", {{"GET", "/../"}})));
  NewEntry comment = worked_out("a.example", {});
  comment.comments = {"x\n- host: evil.example"};
  CHECK(refused(comment));
  NewEntry dated = worked_out("a.example", {});
  dated.entry.expires = std::chrono::system_clock::now();
  CHECK(refused(dated));
  CHECK(refused(NewEntry{}));
}

TEST_CASE("entries are not added to a file that has changed since it was read") {
  const Fixture fixture(kText);
  const NewEntry added = worked_out("a.example", {});
  CHECK_FALSE(add_entries(fixture.dir.path(), PolicyList::kEnforce, "allow: []\n", {added}));
  CHECK(fixture.text() == kText);
  CHECK(add_entries(fixture.dir.path(), PolicyList::kEnforce, kText, {added}));
  CHECK(fixture.text() == *text_with_entries(PolicyList::kEnforce, kText, {added}));
  CHECK(*policy_text(fixture.dir.path(), PolicyList::kEnforce) == fixture.text());
  CHECK(policy_text(fixture.dir.path(), PolicyList::kBlocklist)->empty());
}

TEST_CASE("the mode is written by rename") {
  const TempDir dir;
  REQUIRE(write_mode(dir.path(), policy::Mode::kAudit).has_value());
  CHECK(dir.read("mode") == "audit\n");
  CHECK_FALSE(write_mode("/nonexistent/leash", policy::Mode::kAudit).has_value());
}

}  // namespace
}  // namespace leash::config
