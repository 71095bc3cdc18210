#include "control/watch.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "support/run_until.h"

using namespace std::chrono_literals;
using leash::control::DirectoryWatch;
using leash::net::Loop;
using leash::test::run_until;
namespace fs = std::filesystem;

namespace {

struct Fixture {
  Loop loop;
  fs::path root;
  fs::path dir;
  int changes = 0;
  int looks = 0;

  Fixture() {
    std::string name = (fs::temp_directory_path() / "leash-watch-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    root = name;
    dir = root / "policy";
    fs::create_directory(dir);
  }
  ~Fixture() { fs::remove_all(root); }
  void write(const std::string& name, std::string_view text) const {
    std::ofstream(dir / name) << text;
  }
  bool sees_change() {
    const bool is_seen = run_until(loop, [&] { return changes > 0; });
    pause(30ms);  // whatever belongs to the same burst
    changes = 0;
    return is_seen;
  }
  void pause(std::chrono::milliseconds time) {
    bool end = false;
    leash::net::Timer timer(loop, [&] { end = true; });
    timer.start(time);
    run_until(loop, [&] { return end; });
  }
};

}  // namespace

TEST_CASE("a file that is made, written, renamed over or removed is a change") {
  Fixture f;
  const DirectoryWatch watch(
      f.loop, f.dir.string(), [&] { ++f.changes; }, [&] { ++f.looks; });
  f.pause(30ms);
  CHECK(f.changes == 0);
  f.write("enforce.yaml", "a");
  CHECK(f.sees_change());
  f.write("enforce.yaml", "ab");
  CHECK(f.sees_change());
  f.write("new", "abc");
  fs::rename(f.dir / "new", f.dir / "enforce.yaml");
  CHECK(f.sees_change());
  fs::remove(f.dir / "enforce.yaml");
  CHECK(f.sees_change());
}

TEST_CASE("a burst is one change, and nothing outside is any") {
  Fixture f;
  const DirectoryWatch watch(
      f.loop, f.dir.string(), [&] { ++f.changes; }, [&] { ++f.looks; });
  for (int i = 0; i < 200; ++i) f.write("mode", std::to_string(i));
  CHECK(run_until(f.loop, [&] { return f.changes > 0; }));
  f.pause(30ms);
  CHECK(f.changes <= 2);
  f.changes = 0;
  std::ofstream(f.root / "elsewhere") << "x";
  f.pause(30ms);
  CHECK(f.changes == 0);
}

TEST_CASE("a directory that is replaced goes on being watched") {
  Fixture f;
  const DirectoryWatch watch(
      f.loop, f.dir.string(), [&] { ++f.changes; }, [&] { ++f.looks; });
  fs::create_directory(f.root / "next");
  fs::rename(f.dir, f.root / "former");
  fs::rename(f.root / "next", f.dir);
  CHECK(f.sees_change());  // by the look that finds it
  f.write("mode", "enforce");
  CHECK(f.sees_change());
}

TEST_CASE("a symbolic link that turns to another directory is a change") {
  Fixture f;
  fs::create_directory(f.root / "next");
  fs::create_directory_symlink(f.dir, f.root / "link");
  const DirectoryWatch watch(
      f.loop, (f.root / "link").string(), [&] { ++f.changes; }, [&] { ++f.looks; });
  fs::create_directory_symlink(f.root / "next", f.root / "link.new");
  fs::rename(f.root / "link.new", f.root / "link");
  CHECK(f.sees_change());
  std::ofstream(f.root / "next" / "mode") << "enforce";
  CHECK(f.sees_change());
}

TEST_CASE("a directory that does not exist yet is watched from its making on") {
  Fixture f;
  fs::remove(f.dir);
  const DirectoryWatch watch(
      f.loop, f.dir.string(), [&] { ++f.changes; }, [&] { ++f.looks; });
  fs::create_directory(f.dir);
  CHECK(f.sees_change());
  f.write("mode", "enforce");
  CHECK(f.sees_change());
}

TEST_CASE("each look is told, also where no event comes: a file in a subdirectory has changed") {
  Fixture f;
  fs::create_directory(f.dir / "lists");
  const DirectoryWatch watch(
      f.loop, f.dir.string(), [&] { ++f.changes; }, [&] { ++f.looks; });
  std::ofstream(f.dir / "lists" / "ads.txt") << "ads.test";
  CHECK(run_until(f.loop, [&] { return f.looks >= 2; }));
  CHECK(f.changes == 0);
}
