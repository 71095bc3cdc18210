// Coded bodies out of a stranger's bytes: no output beyond its bounds. The first byte chooses the
// codings.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "http/body_decoder.h"

namespace {

void require(bool is_true) {
  if (!is_true) std::abort();
}

constexpr std::array<std::string_view, 8> kCodings = {
    "gzip", "deflate", "br", "zstd", "gzip, br", "zstd, deflate", "br,br,br", "identity"};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view coding = kCodings[data[0] % kCodings.size()];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const leash::http::DecodeLimits limits{.output_bytes = 256 * 1024, .ratio = 50, .layers = 3};
  const auto decoded = leash::http::decode_body(coding, bytes, limits);
  if (decoded) {
    const std::size_t by_ratio = std::max<std::size_t>(64 * 1024, bytes.size() * limits.ratio);
    require(decoded->bytes.size() <= std::min(limits.output_bytes, by_ratio));
  }
  // Nothing of it may be taken for a list that it is not.
  (void)leash::http::decode_body(bytes.substr(0, 64), bytes, limits);
  return 0;
}
