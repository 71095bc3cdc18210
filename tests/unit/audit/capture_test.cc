#include "audit/capture.h"

#include <doctest/doctest.h>

namespace leash::audit {
namespace {

TEST_CASE("a body within its limit is captured whole") {
  CaptureBudget budget(100);
  Capture capture(budget, 10);
  capture.add("hello");
  capture.add("");
  capture.add("world");
  CHECK(capture.bytes() == "helloworld");
  CHECK(capture.total_bytes() == 10);
  CHECK_FALSE(capture.is_cut());
  capture.add("!");
  CHECK(capture.bytes() == "helloworld");
  CHECK(capture.total_bytes() == 11);
  CHECK(capture.is_cut());
}

TEST_CASE("a captured body is a beginning, never one with holes") {
  CaptureBudget budget(0);
  Capture capture(budget, 10 * Capture::kFreeBytes);
  const std::string most(Capture::kFreeBytes - 2, 'a');
  capture.add(most);
  capture.add("efgh");  // room for a half of it
  capture.add("i");
  CHECK(capture.bytes() == most + "ef");
  CHECK(capture.total_bytes() == most.size() + 5);
  CHECK(capture.is_cut());
}

TEST_CASE("the budget comes back when a capture ends, and moves with it") {
  CaptureBudget budget(8);
  const std::string body(Capture::kFreeBytes + 8, 'a');
  {
    Capture first(budget, body.size());
    first.add(body);
    CHECK_FALSE(budget.take(1));
    const Capture moved(std::move(first));
    CHECK(moved.bytes() == body);
    CHECK_FALSE(budget.take(1));
  }
  CHECK(budget.take(8));
  CHECK_FALSE(budget.take(1));
  budget.give(8);
  CHECK(budget.take(8));
}

TEST_CASE("a client's budget is a part of the whole one") {
  CaptureBudget whole(10);
  CaptureBudget first(6, &whole);
  CaptureBudget second(6, &whole);
  CHECK_FALSE(first.take(7));
  CHECK(first.take(6));
  CHECK_FALSE(second.take(5));
  CHECK(second.take(4));
  first.give(6);
  CHECK_FALSE(second.take(3));
  CHECK(second.take(2));
}

TEST_CASE("a beginning is kept when the budget is used up") {
  CaptureBudget budget(0);
  Capture capture(budget, 1024 * 1024);
  capture.add("the stolen secret");
  CHECK(capture.bytes() == "the stolen secret");
  CHECK_FALSE(capture.is_cut());
}

TEST_CASE("a limit of nothing keeps nothing") {
  CaptureBudget budget(8);
  Capture capture(budget, 0);
  CHECK_FALSE(capture.is_cut());
  capture.add("x");
  CHECK(capture.is_cut());
  CHECK(capture.bytes().empty());
}

TEST_CASE("an empty body has no text") {
  CHECK_FALSE(captured_text("", false, 1).text);
  CHECK_FALSE(captured_text("", false, 1).is_truncated);
  CHECK(captured_text("", true, 1).text == "");
  CHECK(captured_text("", true, 1).is_truncated);
}

TEST_CASE("text is cut at code points, not at bytes") {
  std::string body;
  for (int i = 0; i < 1024; ++i) body += "\xe2\x82\xac";
  CHECK(captured_text(body, false, 1).text == body);
  CHECK_FALSE(captured_text(body, false, 1).is_truncated);
  const CapturedText cut = captured_text(body + "x", false, 1);
  CHECK(cut.text == body);
  CHECK(cut.is_truncated);
  CHECK(captured_text("x", false, 0).text == "");
  CHECK(captured_text("x", false, 0).is_truncated);
}

TEST_CASE("bytes that are not UTF-8 are only counted") {
  CHECK(captured_text("\xff\xfe", false, 1).text == "[binary, 2 bytes]");
  CHECK_FALSE(captured_text("\xff\xfe", false, 1).is_truncated);
  CHECK(captured_text("ab\xe2\x82", false, 1).text == "[binary, 4 bytes]");
}

TEST_CASE("an unfinished code point at the end of a beginning is dropped") {
  CHECK(captured_text("ab\xe2\x82", true, 1).text == "ab");
  CHECK(captured_text("ab\xf0\x9f\x98", true, 1).text == "ab");
  CHECK(captured_text("ab\xe2\x82\xac", true, 1).text == "ab\xe2\x82\xac");
  CHECK(captured_text("ab\xe2\x82", true, 1).is_truncated);
  CHECK(captured_text("a\xff\xe2\x82", true, 1).text == "[binary, 4 bytes]");
}

TEST_CASE("textual types are those of the original") {
  for (const char* type :
       {"text/plain", "TEXT/html; charset=x", "application/json", " application/xml ;q",
        "application/yaml", "application/x-www-form-urlencoded"}) {
    CHECK_MESSAGE(is_textual(type), type);
  }
  for (const char* type : {"", "text/event-stream", "application/javascript", "application/grpc",
                           "application/problem+json", "image/png", "application/x-ndjson"}) {
    CHECK_FALSE_MESSAGE(is_textual(type), type);
  }
}

}  // namespace
}  // namespace leash::audit
