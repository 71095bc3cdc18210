#include "http/body_decoder.h"

#include <brotli/encode.h>
#include <doctest/doctest.h>
#include <zlib.h>
#include <zstd.h>

#include <string>

namespace leash::http {
namespace {

std::string deflated(std::string_view text, int window_bits) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string gzip(std::string_view text) { return deflated(text, 15 + 16); }

std::string brotli(std::string_view text) {
  std::string out(BrotliEncoderMaxCompressedSize(text.size()) + 64, '\0');
  std::size_t size = out.size();
  REQUIRE(BrotliEncoderCompress(5, 22, BROTLI_MODE_GENERIC, text.size(),
                                reinterpret_cast<const std::uint8_t*>(text.data()), &size,
                                reinterpret_cast<std::uint8_t*>(out.data())) == BROTLI_TRUE);
  out.resize(size);
  return out;
}

std::string zstd(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  const std::size_t size = ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3);
  REQUIRE(ZSTD_isError(size) == 0);
  out.resize(size);
  return out;
}

std::string coded(std::string_view coding, std::string_view text) {
  if (coding == "gzip") return gzip(text);
  if (coding == "deflate") return deflated(text, 15);
  if (coding == "br") return brotli(text);
  return zstd(text);
}

// Something that does not compress to nothing.
std::string sample(std::size_t size) {
  std::string out;
  for (unsigned i = 0; out.size() < size; ++i) out += std::to_string(i * 2654435761U) + " words ";
  out.resize(size);
  return out;
}

std::string error_of(std::string_view encoding, std::string_view bytes) {
  const auto decoded = decode_body(encoding, bytes, {});
  return decoded ? "none" : std::string(base::word(decoded.error().code));
}

}  // namespace

TEST_CASE("each coding is undone") {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{300000}}) {
    const std::string text = sample(size);
    for (const char* coding : {"gzip", "deflate", "br", "zstd"}) {
      CAPTURE(coding);
      const auto decoded = decode_body(coding, coded(coding, text), {});
      REQUIRE(decoded);
      CHECK(decoded->bytes == text);
      CHECK_FALSE(decoded->is_cut);
    }
  }
}

TEST_CASE("identity and no coding pass through") {
  for (const char* coding : {"", "identity", " , identity ,"}) {
    CHECK(decode_body(coding, "text", {})->bytes == "text");
  }
  CHECK(decode_body("", "text", {.output_bytes = 2})->bytes == "te");
  CHECK(decode_body("", "text", {.output_bytes = 2})->is_cut);
  CHECK_FALSE(decode_body("", "text", {.output_bytes = 4})->is_cut);
}

TEST_CASE("names of codings compare without case, x-gzip is gzip") {
  CHECK(decode_body("GZip", gzip("text"), {})->bytes == "text");
  CHECK(decode_body("x-gzip", gzip("text"), {})->bytes == "text");
}

TEST_CASE("deflate comes with zlib's header and without") {
  const std::string text = sample(5000);
  CHECK(decode_body("deflate", deflated(text, 15), {})->bytes == text);
  CHECK(decode_body("deflate", deflated(text, -15), {})->bytes == text);
}

TEST_CASE("layers are undone from the last to the first") {
  const std::string text = sample(5000);
  CHECK(decode_body("gzip, br", brotli(gzip(text)), {})->bytes == text);
  CHECK(decode_body("br, identity, zstd", zstd(brotli(text)), {})->bytes == text);
  CHECK(error_of("gzip, br", gzip(brotli(text))) == "bad_encoding");
}

TEST_CASE("more layers than allowed are refused") {
  const std::string four = gzip(gzip(gzip(gzip("text"))));
  CHECK(error_of("gzip, gzip, gzip, gzip", four) == "decode_limit");
  CHECK(decode_body("gzip,gzip,gzip,gzip", four, {.layers = 4})->bytes == "text");
}

TEST_CASE("an unknown coding and bytes that are no such thing are errors") {
  CHECK(error_of("compress", "text") == "bad_encoding");
  CHECK(error_of("gzip, wat", gzip("text")) == "bad_encoding");
  for (const char* coding : {"gzip", "br", "zstd"}) {
    CAPTURE(coding);
    CHECK(error_of(coding, "<html>not coded at all</html>") == "bad_encoding");
  }
  CHECK(error_of("deflate", "\xff\xff\xff\xff\xff\xff") == "bad_encoding");
}

TEST_CASE("nothing decodes to nothing") {
  CHECK(decode_body("gzip", "", {})->bytes.empty());
  CHECK_FALSE(decode_body("gzip", "", {})->is_cut);
}

TEST_CASE("an input that ends early gives what came out so far") {
  const std::string text = sample(300000);
  for (const char* coding : {"gzip", "deflate", "br", "zstd"}) {
    CAPTURE(coding);
    const std::string whole = coded(coding, text);
    for (const std::size_t left :
         {std::size_t{1}, std::size_t{5}, whole.size() / 2, whole.size() - 1}) {
      CAPTURE(left);
      const auto decoded = decode_body(coding, std::string_view(whole).substr(0, left), {});
      REQUIRE(decoded);
      CHECK(decoded->is_cut);
      CHECK(text.starts_with(decoded->bytes));
    }
  }
}

TEST_CASE("damage in the middle gives what came before it, marked as cut") {
  const std::string text = sample(300000);
  std::string bytes = gzip(text);
  bytes.resize(bytes.size() / 2);
  bytes += std::string(1000, '\xff');
  const auto decoded = decode_body("gzip", bytes, {});
  REQUIRE(decoded);
  CHECK(decoded->is_cut);
  CHECK(decoded->bytes.size() > 10000);
}

TEST_CASE("the output is bounded") {
  const std::string text = sample(300000);
  for (const char* coding : {"gzip", "deflate", "br", "zstd"}) {
    for (const std::size_t bound :
         {std::size_t{0}, std::size_t{1}, std::size_t{16384}, text.size() - 1}) {
      CAPTURE(coding);
      CAPTURE(bound);
      const auto decoded = decode_body(coding, coded(coding, text), {.output_bytes = bound});
      REQUIRE(decoded);
      CHECK(decoded->bytes == text.substr(0, bound));
      CHECK(decoded->is_cut);
    }
    const auto decoded = decode_body(coding, coded(coding, text), {.output_bytes = text.size()});
    CHECK(decoded->bytes == text);
    CHECK_FALSE(decoded->is_cut);
  }
}

TEST_CASE("a bomb stops at the ratio, nested or not") {
  const std::string zeros(50 * 1024 * 1024, '\0');
  for (const char* coding : {"gzip", "deflate", "br", "zstd"}) {
    CAPTURE(coding);
    const std::string bomb = coded(coding, zeros);
    const auto decoded = decode_body(coding, bomb, {.output_bytes = SIZE_MAX});
    REQUIRE(decoded);
    CHECK(decoded->is_cut);
    CHECK(decoded->bytes.size() == std::max<std::size_t>(64 * 1024, bomb.size() * 200));
  }
  const std::string nested = gzip(gzip(zeros));
  const auto decoded = decode_body("gzip, gzip", nested, {.output_bytes = SIZE_MAX});
  REQUIRE(decoded);
  CHECK(decoded->is_cut);
  CHECK(decoded->bytes.size() <= std::max<std::size_t>(64 * 1024, nested.size() * 200));
}

TEST_CASE("gzip members follow each other, and what is no member is no matter") {
  CHECK(decode_body("gzip", gzip("one ") + gzip("two"), {})->bytes == "one two");
  const auto padded = decode_body("gzip", gzip("one") + std::string(100, '\0'), {});
  CHECK(padded->bytes == "one");
  CHECK_FALSE(padded->is_cut);
}

TEST_CASE("zstd frames follow each other") {
  CHECK(decode_body("zstd", zstd("one ") + zstd("two"), {})->bytes == "one two");
}

TEST_CASE("a zstd frame that wants a larger window than 8 MiB is refused") {
  const std::string_view frame("\x28\xb5\x2f\xfd\x00\x88\x01\x00\x00", 9);  // window of 128 MiB
  CHECK(error_of("zstd", frame) == "bad_encoding");
}

}  // namespace leash::http
