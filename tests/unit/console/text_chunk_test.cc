#include "console/text_chunk.h"

#include <doctest/doctest.h>

#include <random>

#include "console/search_text.h"

namespace leash::console {
namespace {

std::string chunk_of(const std::vector<std::string>& texts, TextId first = 1) {
  TextChunkBuilder builder;
  for (const std::string& text : texts) builder.add(first++, text);
  return builder.bytes();
}

std::vector<std::size_t> found(const std::string& bytes, const std::string& word) {
  std::vector<std::size_t> out;
  WordFinder finder(search_form(word));
  finder.find(TextChunk(bytes), [&out](std::size_t text) { out.push_back(text); });
  return out;
}

using Texts = std::vector<std::size_t>;

}  // namespace

TEST_CASE("a word is found in the texts that hold it, whatever its case, once in each") {
  const std::string bytes =
      chunk_of({"https://a.example/Models", "", "models models", "https://a.example/", "x"});
  CHECK(found(bytes, "MODELS") == Texts{0, 2});
  CHECK(found(bytes, "a.example/") == Texts{0, 3});
  CHECK(found(bytes, "s") == Texts{0, 2, 3});
  CHECK(found(bytes, "https://a.example/modelsx") == Texts{});
  CHECK(found(bytes, "x") == Texts{0, 3, 4});
}

TEST_CASE("no word goes over the end of a text") {
  const std::string bytes = chunk_of({"ab", "cd", "a\nb"});
  CHECK(found(bytes, "bc") == Texts{});
  CHECK(found(bytes, "b\nc") == Texts{});
  CHECK(found(bytes, "a\nb") == Texts{2});
}

TEST_CASE("a chunk knows which texts it holds") {
  TextChunkBuilder builder;
  builder.add(70, "seven");
  builder.add(71, "eight");
  CHECK(builder.first() == 70);
  CHECK(builder.last() == 71);
  CHECK_FALSE(builder.is_full());
  builder.add(72, std::string(200'000, 'x'));
  CHECK(builder.is_full());
  builder.clear();
  builder.add(73, "nine");
  CHECK(builder.first() == 73);
  CHECK(TextChunk(builder.bytes()).size() == 1);
}

TEST_CASE("the same is found as by looking at each text") {
  std::mt19937 chance(3);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same texts each time
  const auto text = [&chance](std::size_t most) {
    std::string out;
    for (std::size_t left = chance() % (most + 1); left > 0; --left) {
      out += static_cast<char>('a' + chance() % 3);
    }
    return out;
  };
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> texts(20);
    for (std::string& each : texts) each = text(12);
    const std::string word = "a" + text(3);
    Texts expected;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (texts[i].find(word) != std::string::npos) expected.push_back(i);
    }
    CHECK(found(chunk_of(texts), word) == expected);
  }
}

TEST_CASE("bytes that are no chunk end the search, and nothing worse") {
  const std::string bytes = chunk_of({"abc", "abc", "abc"});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK(found(bytes.substr(0, size), "abc").size() <= 3);
  }
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string bad = bytes;
    bad[at] = '\xff';
    CHECK(found(bad, "abc").size() <= 4);
  }
}

}  // namespace leash::console
