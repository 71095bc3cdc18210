#include "audit/log_reader.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>

#include "unit/audit/log_fixture.h"

namespace leash::audit {
namespace {

// Gives `text` in pieces of `step` bytes.
class TextSource : public ByteSource {
 public:
  TextSource(std::string text, std::size_t step) : text_(std::move(text)), step_(step) {}
  base::Result<std::size_t> read(char* to, std::size_t size) override {
    const std::size_t count = std::min({size, step_, text_.size() - at_});
    text_.copy(to, count, at_);
    at_ += count;
    return count;
  }

 private:
  std::string text_;
  std::size_t step_;
  std::size_t at_ = 0;
};

struct Read {
  std::vector<std::string> lines;
  bool ends_torn = false;
  std::optional<base::Code> error;
};

Read read_all(const std::string& bytes, std::size_t step, std::size_t limit = kMaxLineBytes) {
  LogReader reader(unpack(std::make_unique<TextSource>(bytes, step)), limit);
  Read out;
  for (;;) {
    auto line = reader.next();
    if (!line) {
      out.error = line.error().code;
      return out;
    }
    if (!*line) return out;
    out.lines.emplace_back((*line)->text);
    out.ends_torn = !(*line)->is_ended;
    CHECK((*line)->number == out.lines.size());
  }
}

std::string gzipped(const std::string& text) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  std::string in = text;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstded(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 1));
  return out;
}

TEST_CASE("lines come out whatever the pieces they come in") {
  const std::string text = "one\n\nthree\nfour";
  for (const std::size_t step : {1U, 2U, 5U, 1000U}) {
    const Read read = read_all(text, step);
    CHECK(read.lines == std::vector<std::string>{"one", "", "three", "four"});
    CHECK(read.ends_torn);
    CHECK_FALSE(read_all(text + "\n", step).ends_torn);
  }
  CHECK(read_all("", 1).lines.empty());
  CHECK(read_all("\x1f", 1).lines == std::vector<std::string>{"\x1f"});
}

TEST_CASE("a packed log reads as the plain one, also of several parts") {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "line " + std::to_string(i * i) + "\n";
  const Read plain = read_all(text, 4096);
  REQUIRE(plain.lines.size() == 20'000);
  for (const std::size_t step : {1U, 100'000U}) {
    CHECK(read_all(gzipped(text), step).lines == plain.lines);
    CHECK(read_all(zstded(text), step).lines == plain.lines);
  }
  const std::string half = text.substr(0, 10'001);
  const std::string rest = text.substr(10'001);
  CHECK(read_all(gzipped(half) + gzipped(rest), 777).lines == plain.lines);
  CHECK(read_all(zstded(half) + zstded(rest), 777).lines == plain.lines);
}

TEST_CASE("a packed log that is cut or broken is an error, not an end") {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "line " + std::to_string(i * i) + "\n";
  for (const std::string& packed : {gzipped(text), zstded(text)}) {
    for (const std::size_t size : {5UL, packed.size() / 2, packed.size() - 1}) {
      CHECK(read_all(packed.substr(0, size), 100).error == base::Code::kBadEncoding);
    }
    std::string broken = packed;
    broken[broken.size() / 2] = static_cast<char>(broken[broken.size() / 2] ^ 0x55);
    broken[broken.size() / 2 + 1] = static_cast<char>(broken[broken.size() / 2 + 1] ^ 0x55);
    const Read read = read_all(broken, 100);
    CHECK((read.error == base::Code::kBadEncoding || read.lines != read_all(text, 100).lines));
  }
}

TEST_CASE("a line above the limit is an error") {
  CHECK(read_all("12345\n", 3, 5).lines == std::vector<std::string>{"12345"});
  CHECK(read_all("123456\n", 3, 5).error == base::Code::kExcessBytes);
  CHECK(read_all("123456", 3, 5).error == base::Code::kExcessBytes);
  CHECK(read_all("1\n123456", 100, 5).lines == std::vector<std::string>{"1"});
}

TEST_CASE("a long line is read whole") {
  const std::string line(5'000'000, 'x');
  const Read read = read_all(line + "\nend\n", 1 << 20);
  REQUIRE(read.lines.size() == 2);
  CHECK(read.lines[0] == line);
  CHECK(read.lines[1] == "end");
}

TEST_CASE("a file that is not there, and a folder, are errors") {
  const TempDir dir;
  CHECK(LogReader::open(dir.file("none")).error().code == base::Code::kIo);
  auto reader = LogReader::open(dir.file(""));
  REQUIRE(reader);
  CHECK(reader->next().error().code == base::Code::kIo);
}

}  // namespace
}  // namespace leash::audit
