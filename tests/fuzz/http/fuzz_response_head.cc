// Responses out of a stranger's bytes: the same however they are cut, and what we write of them
// reads back the same. The first byte chooses what the responses answer.
#include <array>
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
constexpr Limits kWide{1 << 20, 64};
constexpr std::array<std::string_view, 3> kMethods = {"GET", "HEAD", "CONNECT"};

void require(bool is_true) {
  if (!is_true) std::abort();
}

void check_round_trip(const ResponseHead& head, std::string_view method) {
  std::string out;
  append_response(out, head);
  ResponseParser parser(kWide);
  parser.expect(method);
  std::string_view in = out;
  const auto event = parser.next(in);
  require(event && *event && in.empty());
  const auto& again = std::get<ResponseHead>(**event);
  require(again.status == head.status && again.body == head.body);
  if (!head.is_interim()) require(again.is_persistent == head.is_persistent);
  std::string twice;
  append_response(twice, again);
  require(out == twice);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view method = kMethods[data[0] % kMethods.size()];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = feed_responses(bytes, size, {method, method}, kLimits);
  require(feed_responses(bytes, 1, {method, method}, kLimits) == whole);
  require(feed_responses(bytes, 3, {method, method}, kLimits) == whole);
  for (const ResponseHead& head : whole.heads) {
    require(head.fields.size() <= kLimits.fields);
    check_round_trip(head, method);
    ResponseHead forwarded = head;
    prepare_for_client(forwarded);
    require(!forwarded.fields.has("connection") && !forwarded.fields.has("alt-svc"));
    check_round_trip(forwarded, method);
  }
  return 0;
}
