#include "insight/path_tree.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

namespace leash::insight {
namespace {

using Texts = std::vector<std::string>;

Texts prefixes(const Texts& paths, std::size_t depth = PathTree::kMaxDepth) {
  PathTree tree;
  std::size_t budget = 1000;
  for (const std::string& path : paths) tree.add(path, budget);
  Texts out;
  for (const auto& prefix : tree.prefixes(depth)) out.push_back(prefix.text);
  return out;
}

Texts times(std::size_t count, const Texts& paths) {
  Texts out;
  for (std::size_t i = 0; i < count; ++i) out.insert(out.end(), paths.begin(), paths.end());
  return out;
}

Texts numbered(const std::string& before, int count, const std::string& after = "") {
  Texts out;
  for (int i = 0; i < count; ++i) out.push_back(before + std::to_string(i) + after);
  return out;
}

}  // namespace

TEST_CASE("numbers, dates, UUIDs, hashes, tokens and escapes are no places") {
  for (const char* text : {"",
                           "1",
                           "2024-01-31",
                           "123456",
                           "6f9619ff-8b86-d011-b42d-00cf4fc964ff",
                           "deadbeef01",
                           "da39a3ee5e6b4b0d3255bfef95601890afd80709",
                           "order-12345",
                           "bot123456:AAE",
                           "%40scope",
                           "a%2fb",
                           "a b",
                           "a\"b",
                           "{id}",
                           "caf\xc3\xa9",
                           "xoxbAbCdEfGhIjKlMnOpQrSt",
                           "app.3f2a1b9c.js",
                           "a;b",
                           "~",
                           "..."}) {
    CAPTURE(text);
    CHECK(is_variable_segment(text));
  }
  CHECK(is_variable_segment(std::string(65, 'a')));
  for (const char* text : {"v1", "messages", "api-2", "widgets.git", "k8s", "simple", ".well-known",
                           "@types", "chat.postMessage", "v1beta1", "facade", "count_tokens"}) {
    CAPTURE(text);
    CHECK_FALSE(is_variable_segment(text));
  }
}

TEST_CASE("a prefix goes down to the last stable segment") {
  CHECK(prefixes(times(9, {"/v1/messages"})) == Texts{"/v1/messages"});
  CHECK(prefixes(times(9, {"/v1/messages?beta=true"})) == Texts{"/v1/messages"});
  CHECK(prefixes(numbered("/repos/acme/widgets/issues/", 20)) ==
        Texts{"/repos/acme/widgets/issues/"});
  CHECK(prefixes(numbered("/simple/pkg-", 20, "/")) == Texts{"/simple/"});
  CHECK(prefixes(times(5, {"/a/x", "/b/y"})) == Texts{"/a/x", "/b/y"});
  CHECK(prefixes(times(5, {"/a/b/c/d/e/f"})) == Texts{"/a/b/c/d/"});
}

TEST_CASE("a prefix fits what ended in its last segment and what went on behind it") {
  CHECK(prefixes(times(5, {"/v1/models", "/v1/models/x"})) == Texts{"/v1/models"});
  CHECK(prefixes(times(5, {"/v1/models/", "/v1/models/x"})) == Texts{"/v1/models/"});
  CHECK(prefixes(times(5, {"/v1/model", "/v1/models"})) == Texts{"/v1/model"});
  CHECK(prefixes(times(5, {"/", "/v1/models"})) == Texts{"/"});
}

TEST_CASE("few requests, many branches or variable ones end it") {
  CHECK(prefixes({"/a/b"}) == Texts{"/"});
  CHECK(prefixes({"/a/b", "/a/c", "/a/d", "/a/e", "/a/f"}) == Texts{"/a/"});
  CHECK(prefixes(times(9, numbered("/page-", 7))) == Texts{"/"});
  CHECK(prefixes(times(9, {"/stable/x", "/20240131/x"})) == Texts{"/"});
  CHECK(prefixes(times(9, {"//x", "/stable/x"})) == Texts{"/"});
  CHECK(prefixes({}).empty());
}

TEST_CASE("a lower depth gives shorter prefixes") {
  const Texts paths = times(9, {"/a/b/c"});
  CHECK(prefixes(paths, 2) == Texts{"/a/b/"});
  CHECK(prefixes(paths, 0) == Texts{"/"});
}

TEST_CASE("without a budget prefixes get shorter, never narrower than the paths") {
  PathTree tree;
  std::size_t budget = 2;
  for (int i = 0; i < 9; ++i) {
    tree.add("/a/b/c", budget);
    tree.add("/a/d/c", budget);
  }
  CHECK(budget == 0);
  CHECK(tree.prefixes() == std::vector<PathTree::Prefix>{{"/a/", 18}});
}

TEST_CASE("prefixes cover every path, count each once, and do not depend on the order") {
  std::mt19937 random(7);
  const Texts words = {"a", "b", "v1", "x.y", "77777", "", "deadbeef01", "%2e"};
  for (int round = 0; round < 300; ++round) {
    Texts paths;
    const auto count = 1 + random() % 40;
    for (std::size_t i = 0; i < count; ++i) {
      std::string path = "/";
      for (std::size_t k = random() % 6; k > 0; --k) {
        path += words[random() % (round % 2 == 0 ? words.size() : 4)];
        if (random() % 4 != 0) path += '/';
      }
      if (random() % 5 == 0) path += "?q=/a";
      paths.push_back(path);
    }
    PathTree tree;
    std::size_t budget = 1'000'000;
    for (const std::string& path : paths) tree.add(path, budget);
    const auto found = tree.prefixes();
    std::uint64_t sum = 0;
    for (const auto& prefix : found) sum += prefix.requests;
    CHECK(sum == paths.size());
    for (const std::string& path : paths) {
      CAPTURE(path);
      CHECK(std::count_if(found.begin(), found.end(), [&](const PathTree::Prefix& prefix) {
              return path.starts_with(prefix.text);
            }) == 1);
    }
    std::shuffle(paths.begin(), paths.end(), random);
    PathTree other;
    for (const std::string& path : paths) other.add(path, budget);
    CHECK(other.prefixes() == found);
  }
}

}  // namespace leash::insight
