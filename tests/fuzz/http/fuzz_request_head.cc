// Requests out of a stranger's bytes: the same however they are cut, and what we write of them
// reads back the same.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/forwarding.h"
#include "http/h1_writer.h"
#include "unit/http/h1_feed.h"

namespace {

using namespace leash::http;

constexpr Limits kLimits{4096, 32};
constexpr Limits kWide{1 << 20, 64};  // what we write may be a little longer

void require(bool is_true) {
  if (!is_true) std::abort();
}

bool is_same_length(const Body& a, const Body& b) {
  const auto is_empty = [](const Body& body) {
    return body == Body{} || body == Body{Framing::kLength, 0};
  };
  return a == b || (is_empty(a) && is_empty(b));
}

// Exactly one request, of the same meaning, and stable from then on.
void check_round_trip(const RequestHead& head) {
  std::string out;
  append_request(out, head);
  const auto seen = feed_requests(out, out.size(), kWide);
  require(!seen.error && seen.heads.size() == 1);
  const RequestHead& again = seen.heads[0];
  require(again.method == head.method && again.path == head.path && again.host == head.host);
  require(is_same_length(again.body, head.body) && again.is_persistent == head.is_persistent);
  std::string twice;
  append_request(twice, again);
  require(out == twice);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = feed_requests(bytes, size, kLimits);
  require(feed_requests(bytes, 1, kLimits) == whole);
  require(feed_requests(bytes, 3, kLimits) == whole);
  for (const RequestHead& head : whole.heads) {
    require(head.fields.size() <= kLimits.fields);
    (void)websocket_key(head);
    if (head.host) check_round_trip(head);
    if (head.form == TargetForm::kAuthority) continue;
    RequestHead forwarded = head;
    const auto authority = leash::base::parse_authority("a.test", 443);
    prepare_for_origin(forwarded, *authority, "https");
    require(!forwarded.fields.has("connection") && !forwarded.fields.has("upgrade"));
    require(forwarded.fields.count("host") == 1 && *forwarded.fields.find("host") == "a.test");
    forwarded.host->port = 0;  // as the reader will find it
    check_round_trip(forwarded);
  }
  return 0;
}
