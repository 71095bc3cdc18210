#include "http/head_buffer.h"

#include <doctest/doctest.h>

#include <string>

namespace leash::http {

TEST_CASE("a section that comes whole is not copied") {
  HeadBuffer buffer(100, base::Fault::kClient);
  const std::string bytes = "a\r\nb\r\n\r\nrest";
  std::string_view in = bytes;
  const auto section = buffer.take(in);
  REQUIRE(section);
  REQUIRE(*section);
  CHECK((*section)->data() == bytes.data());
  CHECK(**section == "a\r\nb\r\n\r\n");
  CHECK(in == "rest");
  CHECK(buffer.is_empty());
}

TEST_CASE("an empty line is found wherever the input is cut") {
  const std::string bytes = "ab\r\nc\r\n\r\nrest";
  for (std::size_t cut = 0; cut < 9; ++cut) {
    CAPTURE(cut);
    HeadBuffer buffer(100, base::Fault::kClient);
    std::string_view first = std::string_view(bytes).substr(0, cut);
    CHECK_FALSE(*buffer.take(first));
    CHECK(first.empty());
    CHECK(buffer.is_empty() == (cut == 0));
    std::string_view second = std::string_view(bytes).substr(cut);
    CHECK(**buffer.take(second) == "ab\r\nc\r\n\r\n");
    CHECK(second == "rest");
  }
}

TEST_CASE("after clear the next section begins anew") {
  HeadBuffer buffer(10000, base::Fault::kClient);
  for (int i = 0; i < 3; ++i) {
    std::string_view in = "a";
    CHECK_FALSE(*buffer.take(in));
    const std::string rest = std::string(5000, 'b') + "\r\n\r\n";
    in = rest;
    CHECK((**buffer.take(in)).size() == 5005);
    buffer.clear();
    CHECK(buffer.is_empty());
    in = "\r\n";
    CHECK(**buffer.take(in) == "\r\n");
    buffer.clear();
  }
}

TEST_CASE("no more than the limit is held") {
  HeadBuffer buffer(8, base::Fault::kOrigin);
  std::string_view in = "12345678";
  CHECK_FALSE(*buffer.take(in));
  CHECK_FALSE(*buffer.take(in));
  in = "9";
  const auto section = buffer.take(in);
  REQUIRE_FALSE(section);
  CHECK(section.error().code == base::Code::kHeadTooLarge);
  CHECK(section.error().fault == base::Fault::kOrigin);
}

}  // namespace leash::http
