// Lines of a file forwards and backwards.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>

#include "base/fd.h"
#include "console/backward_lines.h"
#include "console/plain_lines.h"

namespace leash::console {
namespace {

struct File {
  File() : path(std::filesystem::temp_directory_path() / ("lines-" + std::to_string(::getpid()))) {}
  ~File() { std::filesystem::remove(path); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  void write(const std::string& text) const { std::ofstream(path, std::ios::binary) << text; }
  std::filesystem::path path;
};

std::vector<std::string> backwards(const File& file) {
  std::vector<std::string> out;
  REQUIRE(read_backwards(file.path.string(), [&out](std::string_view line) {
            out.emplace_back(line);
            return true;
          }).has_value());
  std::reverse(out.begin(), out.end());
  return out;
}

std::vector<std::string> forwards(const File& file) {
  PlainLines lines(base::Fd(::open(file.path.c_str(), O_RDONLY | O_CLOEXEC)), 0);
  std::vector<std::string> out;
  std::uint64_t expected = 0;
  REQUIRE(lines
              .read([&](std::string_view line, std::uint64_t position) {
                CHECK(position == expected);
                expected += line.size() + 1;
                out.emplace_back(line);
                return true;
              })
              .has_value());
  CHECK(lines.position() == expected);
  return out;
}

}  // namespace

TEST_CASE("both directions give the same whole lines") {
  std::mt19937 random(1);
  for (int round = 0; round < 20; ++round) {
    const File file;
    std::string text;
    std::vector<std::string> expected;
    for (int i = 0; i < 200; ++i) {
      // Now and then longer than what is read at once.
      const std::size_t size = random() % 50 == 0 ? random() % 900'000 : 1 + random() % 300;
      expected.emplace_back(size, static_cast<char>('a' + i % 26));
      text += expected.back() + "\n";
    }
    file.write(text + (round % 2 == 0 ? "unfinished" : ""));
    CHECK(backwards(file) == expected);
    CHECK(forwards(file) == expected);
  }
}

TEST_CASE("files without a line, and no file") {
  const File file;
  for (const char* text : {"", "x", "\n\n"}) {
    file.write(text);
    const auto lines = backwards(file);
    CHECK(std::all_of(lines.begin(), lines.end(), [](const auto& line) { return line.empty(); }));
  }
  CHECK(read_backwards("/nonexistent/file", [](std::string_view) { return true; }).has_value());
}

TEST_CASE("a line counts when its end is there") {
  const File file;
  file.write("one\ntw");
  PlainLines lines(base::Fd(::open(file.path.c_str(), O_RDONLY | O_CLOEXEC)), 0);
  std::vector<std::string> seen;
  const auto take = [&seen](std::string_view line, std::uint64_t) {
    seen.emplace_back(line);
    return true;
  };
  REQUIRE(lines.read(take).has_value());
  CHECK(seen == std::vector<std::string>{"one"});
  std::ofstream(file.path, std::ios::binary | std::ios::app) << "o\nthree\n";
  REQUIRE(lines.read(take).has_value());
  CHECK(seen == std::vector<std::string>{"one", "two", "three"});
}

}  // namespace leash::console
