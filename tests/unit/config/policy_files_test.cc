#include "config/policy_files.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "policy/decide.h"
#include "unit/config/temp_dir.h"

namespace leash::config {
namespace {

using policy::Mode;
using std::chrono::milliseconds;

struct Clock {
  std::shared_ptr<std::chrono::steady_clock::time_point> now =
      std::make_shared<std::chrono::steady_clock::time_point>(std::chrono::hours(1));
  void pass(int ms) const { *now += milliseconds(ms); }
  [[nodiscard]] PolicyFiles::SteadyClock function() const {
    return [now = now] { return *now; };
  }
};

// A directory with a policy, its files, a clock of our own, and the changes that were told.
struct Fixture {
  Fixture() {
    dir.rewrite("mode", "enforce\n");
    dir.rewrite("enforce.yaml", "allow:\n- host: a.example\n");
    dir.rewrite("blocklist.yaml", "block:\n- bad.example\n");
  }
  PolicyFiles& open() {
    files = std::make_unique<PolicyFiles>(
        dir.path(),
        [this](const PolicyFiles::Change& change) {
          changes.push_back(change);
          ++told;
        },
        clock.function());
    clock.pass(30);
    (void)files->current();
    return *files;
  }
  [[nodiscard]] bool allows(const char* host) const {
    return allows(*files->for_decision().snapshot, host);
  }
  static bool allows(const policy::Snapshot& snapshot, const char* host) {
    const auto name = base::Host::parse(host).value();
    return policy::decide(snapshot, {name, 443, "GET", "/"}, std::chrono::system_clock::now())
        .is_allowed;
  }
  [[nodiscard]] bool has_finding(const std::string& text) const {
    for (const Finding& finding : files->findings()) {
      if ((finding.file + ": " + finding.text).find(text) != std::string::npos) return true;
    }
    return false;
  }

  TempDir dir;
  Clock clock;
  std::vector<PolicyFiles::Change> changes;
  std::atomic<std::size_t> told{0};  // of them
  std::unique_ptr<PolicyFiles> files;
};

TEST_CASE("the files are read at once and nothing is told of it") {
  Fixture f;
  f.open();
  CHECK(f.allows("a.example"));
  CHECK_FALSE(f.allows("b.example"));
  CHECK(f.files->findings().empty());
  CHECK(f.changes.empty());
  CHECK(f.files->current().is_settled());
}

TEST_CASE("a file put in place by rename counts at once") {
  Fixture f;
  f.open();
  const auto before = f.files->current().snapshot->generation;
  f.dir.replace("enforce.yaml", "allow:\n- host: b.example\n");
  CHECK(f.allows("b.example"));
  CHECK_FALSE(f.allows("a.example"));
  CHECK(f.files->current().snapshot->generation > before);
  REQUIRE(f.changes.size() == 1);
  CHECK(f.changes[0].files == std::vector<std::string>{"enforce.yaml"});
  CHECK(f.changes[0].new_findings.empty());
  CHECK(f.changes[0].before->generation == before);
}

TEST_CASE(
    "a decision looks at the blocklist in mode blocklist only, and then at its newest state") {
  Fixture f;
  PolicyFiles& files = f.open();
  f.dir.replace("blocklist.yaml", "block:\n- worse.example\n");
  const auto before = files.for_decision().snapshot;
  CHECK(before->blocklist->all().contains("bad.example"));
  f.dir.replace("mode", "blocklist\n");
  CHECK(f.allows("bad.example"));
  CHECK_FALSE(f.allows("worse.example"));
  f.dir.replace("blocklist.yaml", "block:\n- other.example\n");
  CHECK(f.allows("worse.example"));
  f.dir.replace("mode", "audit\n");
  CHECK(f.allows("other.example"));
  f.dir.replace("blocklist.yaml", "block:\n- bad.example\n");
  CHECK(f.allows("bad.example"));
  CHECK(files.current().snapshot->blocklist->all().contains("bad.example"));
}

TEST_CASE("a file rewritten in place counts once it has been quiet for 20 ms by our clock") {
  Fixture f;
  f.open();
  f.dir.rewrite("enforce.yaml", "allow:\n- host: bb.example\n");
  auto current = f.files->current();
  REQUIRE_FALSE(current.is_settled());
  CHECK(current.retry_after == milliseconds(20));
  CHECK(Fixture::allows(*current.snapshot, "a.example"));
  CHECK(Fixture::allows(*current.unsettled, "bb.example"));
  CHECK_FALSE(Fixture::allows(*current.unsettled, "a.example"));
  f.clock.pass(15);
  CHECK(f.files->current().retry_after == milliseconds(5));
  f.dir.rewrite("enforce.yaml", "allow:\n- host: ccc.example\n");
  CHECK(f.files->current().retry_after == milliseconds(20));
  CHECK(f.changes.empty());
  f.clock.pass(20);
  current = f.files->current();
  CHECK(current.is_settled());
  CHECK(current.retry_after == milliseconds(0));
  CHECK(Fixture::allows(*current.snapshot, "ccc.example"));
  CHECK(f.changes.size() == 1);
}

TEST_CASE("a half-written blocklist never counts while its writer goes on") {
  Fixture f;
  f.dir.rewrite("mode", "blocklist");
  f.open();
  f.dir.rewrite("blocklist.yaml", "");
  for (int i = 0; i < 20; ++i) {
    std::ofstream(f.dir.at("blocklist.yaml"), std::ios::app)
        << (i == 0 ? "block:\n" : "- bad.example\n");
    CHECK_FALSE(f.allows("bad.example"));
    f.clock.pass(10);
  }
  f.clock.pass(20);
  CHECK_FALSE(f.allows("bad.example"));
  CHECK(f.files->current().is_settled());
}

TEST_CASE("a rewrite that left no trace in the stamp is found by a second look") {
  Fixture f;
  f.files = std::make_unique<PolicyFiles>(f.dir.path(), nullptr, f.clock.function());
  struct stat info {};
  REQUIRE(::stat(f.dir.at("enforce.yaml").c_str(), &info) == 0);
  f.dir.rewrite("enforce.yaml", "allow:\n- host: z.example\n");
  const struct timespec times[2] = {info.st_atim, info.st_mtim};
  REQUIRE(::utimensat(AT_FDCWD, f.dir.at("enforce.yaml").c_str(), times, 0) == 0);
  (void)f.files->current();
  f.clock.pass(25);
  (void)f.files->current();
  f.clock.pass(25);
  CHECK(f.allows("z.example"));
}

TEST_CASE("a broken file leaves the last good state in force and is reported once") {
  Fixture f;
  f.open();
  f.dir.replace("enforce.yaml", "allow: [\n");
  CHECK(f.allows("a.example"));
  CHECK(f.has_finding("the last good state stays in force"));
  REQUIRE(f.changes.size() == 1);
  CHECK(f.changes[0].new_findings.size() == 2);
  CHECK(f.changes[0].before == f.changes[0].after);
  for (int i = 0; i < 10; ++i) {
    f.clock.pass(100);
    CHECK(f.allows("a.example"));
  }
  CHECK(f.changes.size() == 1);
  f.dir.replace("enforce.yaml", "allow:\n- host: b.example\n");
  CHECK(f.allows("b.example"));
  CHECK(f.files->findings().empty());
  CHECK(f.changes.size() == 2);
}

TEST_CASE("a deleted file keeps its last state and comes back quietly") {
  Fixture f;
  f.dir.rewrite("mode", "audit");
  f.open();
  std::filesystem::remove(f.dir.at("mode"));
  std::filesystem::remove(f.dir.at("enforce.yaml"));
  CHECK(f.files->current().snapshot->mode == Mode::kAudit);
  CHECK(f.has_finding("mode: missing: the last state stays in force"));
  CHECK(f.has_finding("enforce.yaml: missing"));
  f.dir.rewrite("mode", "enforce");
  f.dir.rewrite("enforce.yaml", "allow:\n- host: a.example\n");
  f.clock.pass(1);
  CHECK_FALSE(f.files->current().is_settled());
  f.clock.pass(20);
  CHECK(f.files->current().snapshot->mode == Mode::kEnforce);
  CHECK(f.files->findings().empty());
}

TEST_CASE("nothing at start means enforce with no rules") {
  const TempDir dir;
  PolicyFiles files(dir.path(), nullptr);
  const auto current = files.current();
  CHECK(current.snapshot->mode == Mode::kEnforce);
  CHECK_FALSE(Fixture::allows(*current.snapshot, "a.example"));
  CHECK(files.findings().size() == 3);
  PolicyFiles nowhere("/nonexistent/leash", nullptr);
  CHECK_FALSE(Fixture::allows(*nowhere.current().snapshot, "a.example"));
}

TEST_CASE("mode blocklist without a usable blocklist is enforce") {
  Fixture f;
  f.dir.rewrite("mode", "blocklist\n");
  f.dir.rewrite("blocklist.yaml", "block: 5\n");
  f.open();
  CHECK(f.files->current().snapshot->mode == Mode::kEnforce);
  CHECK(f.has_finding("enforce is in force"));
  f.dir.replace("blocklist.yaml", "block: []\n");
  CHECK(f.files->current().snapshot->mode == Mode::kBlocklist);
  CHECK(f.files->findings().empty());
}

TEST_CASE("a wrong mode word is enforce and a finding") {
  Fixture f;
  f.dir.rewrite("mode", "audit");
  f.open();
  CHECK(f.files->current().snapshot->mode == Mode::kAudit);
  for (const char* wrong : {"Audit", "", "audit\naudit\n",
                            "\xef\xbb\xbf"
                            "audit",
                            "enforce audit"}) {
    f.dir.replace("mode", wrong);
    CHECK_MESSAGE(f.files->current().snapshot->mode == Mode::kEnforce, wrong);
    CHECK(f.has_finding("enforce is in force"));
  }
  f.dir.replace("mode", "  blocklist \r\n");
  CHECK(f.files->current().snapshot->mode == Mode::kBlocklist);
}

TEST_CASE("what is no regular file is not read, and does not block") {
  for (const char* kind : {"fifo", "directory", "loop", "device"}) {
    Fixture f;
    f.open();
    const std::string path = f.dir.at("enforce.yaml");
    std::filesystem::remove(path);
    const std::string_view what = kind;
    if (what == "fifo") REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    if (what == "directory") std::filesystem::create_directory(path);
    if (what == "loop") std::filesystem::create_symlink(path, path);
    if (what == "device") std::filesystem::create_symlink("/dev/zero", path);
    CHECK_MESSAGE(f.allows("a.example"), kind);
    CHECK_MESSAGE(f.has_finding("enforce.yaml: "), kind);
    f.clock.pass(2'000);
    CHECK(f.allows("a.example"));
    CHECK_MESSAGE(f.changes.size() == 1, kind);
  }
}

TEST_CASE("symlinks to regular files are followed, and swapped like config maps") {
  Fixture f;
  std::filesystem::create_directory(f.dir.at("v1"));
  std::filesystem::create_directory(f.dir.at("v2"));
  f.dir.rewrite("v1/enforce.yaml", "allow:\n- host: one.example\n");
  f.dir.rewrite("v2/enforce.yaml", "allow:\n- host: two.example\n");
  std::filesystem::create_directory_symlink("v1", f.dir.at("..data"));
  std::filesystem::remove(f.dir.at("enforce.yaml"));
  std::filesystem::create_symlink("..data/enforce.yaml", f.dir.at("enforce.yaml"));
  f.open();
  CHECK(f.allows("one.example"));
  std::filesystem::create_directory_symlink("v2", f.dir.at("..new"));
  std::filesystem::rename(f.dir.at("..new"), f.dir.at("..data"));
  CHECK(f.allows("two.example"));
}

TEST_CASE("a file larger than 64 MiB is refused unread") {
  Fixture f;
  f.open();
  f.dir.rewrite("enforce.yaml.new", "");
  REQUIRE(::truncate(f.dir.at("enforce.yaml.new").c_str(), 64 * 1024 * 1024 + 1) == 0);
  std::filesystem::rename(f.dir.at("enforce.yaml.new"), f.dir.at("enforce.yaml"));
  CHECK(f.allows("a.example"));
  CHECK(f.has_finding("larger than"));
}

TEST_CASE("a touch or chmod changes nothing") {
  Fixture f;
  f.open();
  const auto before = f.files->current().snapshot;
  std::filesystem::permissions(f.dir.at("enforce.yaml"), std::filesystem::perms::owner_read);
  CHECK(f.files->current().snapshot == before);
  CHECK(f.files->current().is_settled());
  CHECK(f.changes.empty());
}

TEST_CASE("host lists are read, watched, and count with their blocklist or not at all") {
  Fixture f;
  std::filesystem::create_directory(f.dir.at("lists"));
  f.dir.rewrite("mode", "blocklist");
  f.dir.rewrite("lists/ads.txt", "ads.example\n");
  f.dir.rewrite("blocklist.yaml", "lists: [lists/ads.txt]\nblock:\n- bad.example\n");
  f.open();
  CHECK_FALSE(f.allows("ads.example"));
  CHECK_FALSE(f.allows("bad.example"));
  CHECK(f.allows("more.example"));

  f.dir.replace("lists/ads.txt", "ads.example\nmore.example\n");
  CHECK_FALSE(f.allows("more.example"));
  CHECK(f.changes.at(0).files == std::vector<std::string>{"lists/ads.txt"});

  // A blocklist that names a list which is not there is not taken over in part.
  f.dir.replace("blocklist.yaml", "lists: [lists/none.txt]\n");
  CHECK_FALSE(f.allows("ads.example"));
  CHECK_FALSE(f.allows("bad.example"));
  CHECK(f.has_finding("the last whole blocklist stays in force"));

  f.dir.replace("lists/none.txt", "none.example\n");
  f.clock.pass(1);
  (void)f.files->current();
  f.clock.pass(25);
  CHECK_FALSE(f.allows("none.example"));
  CHECK(f.allows("ads.example"));
  CHECK(f.files->findings().empty());
}

TEST_CASE("a list file may not be a way out of the directory") {
  Fixture f;
  const TempDir elsewhere;
  elsewhere.rewrite("secret", "ads.example\n");
  f.dir.rewrite("mode", "blocklist");
  std::filesystem::create_symlink(elsewhere.at("secret"), f.dir.at("ads.txt"));
  f.dir.rewrite("blocklist.yaml", "lists: [ads.txt]\n");
  f.open();
  CHECK(f.files->current().snapshot->mode == Mode::kEnforce);
  CHECK(f.files->current().snapshot->block_lists.empty());
}

// A host list that takes another thread to read, with ads.example at its end.
std::string large_list() {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "ad" + std::to_string(i) + ".example\n";
  return text + "ads.example\n";
}

PolicyFiles::Current wait_until_settled(PolicyFiles& files) {
  auto current = files.current();
  while (!current.is_settled()) {
    std::this_thread::yield();
    current = files.current();
  }
  return current;
}

TEST_CASE("a large list is read on a thread of its own") {
  Fixture f;
  f.dir.rewrite("mode", "blocklist");
  f.open();
  CHECK(f.allows("ads.example"));
  f.dir.rewrite("ads.txt", large_list());
  f.dir.replace("blocklist.yaml", "block: []\nlists: [ads.txt]\n");
  const auto first = f.files->current();
  CHECK(first.is_loading);
  CHECK(first.retry_after.count() > 0);
  CHECK(Fixture::allows(*first.snapshot, "ads.example"));  // what was in force before
  const auto loaded = wait_until_settled(*f.files);
  CHECK_FALSE(Fixture::allows(*loaded.snapshot, "ads.example"));
  // The thread that has read it tells of it behind that.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (f.told == 0 && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  CHECK(f.changes.size() == 1);
  CHECK(f.files->findings().empty());

  // in its place: a new file
  f.dir.replace("ads.txt", large_list() + "more.example\n");
  CHECK(f.files->current().is_loading);
  CHECK_FALSE(Fixture::allows(*wait_until_settled(*f.files).snapshot, "more.example"));

  // rewritten in place: pending until it has been quiet
  f.clock.pass(30);
  (void)wait_until_settled(*f.files);
  f.dir.rewrite("ads.txt", large_list() + "more.example\neven.example\n");
  CHECK(f.files->current().is_loading);
  auto current = f.files->current();
  while (current.is_loading) current = f.files->current();
  REQUIRE(current.unsettled != nullptr);
  CHECK(Fixture::allows(*current.snapshot, "even.example"));
  CHECK_FALSE(Fixture::allows(*current.unsettled, "even.example"));
  f.clock.pass(30);
  CHECK_FALSE(Fixture::allows(*wait_until_settled(*f.files).snapshot, "even.example"));
}

TEST_CASE("a large list that is still being read when its reader goes") {
  Fixture f;
  f.dir.rewrite("mode", "blocklist");
  f.open();
  f.dir.rewrite("ads.txt", large_list());
  f.dir.replace("blocklist.yaml", "block: []\nlists: [ads.txt]\n");
  CHECK(f.files->current().is_loading);
  f.files.reset();
  CHECK(f.changes.size() <= 1);
}

TEST_CASE("many threads see one state and each change is told once") {
  Fixture f;
  std::atomic<int> told = 0;
  PolicyFiles files(f.dir.path(), [&](const PolicyFiles::Change&) { ++told; });
  std::atomic<bool> is_over = false;
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      while (!is_over) {
        const auto current = files.current();
        const bool one = Fixture::allows(*current.snapshot, "a.example");
        const bool two = Fixture::allows(*current.snapshot, "b.example");
        if (one == two) ++told;  // never both, never neither
      }
    });
  }
  for (int i = 0; i < 50; ++i) {
    f.dir.replace("enforce.yaml",
                  i % 2 == 0 ? "allow:\n- host: b.example\n" : "allow:\n- host: a.example\n");
    (void)files.current();
  }
  is_over = true;
  for (auto& reader : readers) reader.join();
  CHECK(told == 50);
}

TEST_CASE("read_policy says what it found, as leashctl shows it") {
  Fixture f;
  f.dir.rewrite("enforce.yaml", "allow:\n- host: a.example\n  port: [443]\n");
  const auto reading = read_policy(f.dir.path());
  REQUIRE(reading.enforce != nullptr);
  REQUIRE(reading.blocklist != nullptr);
  CHECK(reading.mode == Mode::kEnforce);
  REQUIRE(reading.findings.size() == 1);
  CHECK(reading.findings[0].file == "enforce.yaml");
  CHECK(reading.findings[0].line == 3);
  f.dir.rewrite("blocklist.yaml", "block: 5\n");
  f.dir.rewrite("mode", "blocklist");
  const auto broken = read_policy(f.dir.path());
  CHECK(broken.blocklist == nullptr);
  CHECK(broken.findings.size() >= 3);
  const TempDir empty;
  CHECK_FALSE(read_policy(empty.path()).mode.has_value());
}

}  // namespace
}  // namespace leash::config
