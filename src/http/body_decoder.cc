#include "http/body_decoder.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/text.h"
#include "http/decoders.h"
#include "http/syntax.h"

namespace leash::http {
namespace {

using Decoder = DecodeEnd (*)(std::string_view in, std::size_t max_bytes, std::string& out);

// Below this, a high ratio is no bomb: a page of zeros.
constexpr std::size_t kRatioFreeBytes = 64 * 1024;

Decoder decoder_for(std::string_view coding) {
  static constexpr std::array<std::pair<std::string_view, Decoder>, 5> kDecoders = {{
      {"gzip", inflate_gzip},
      {"x-gzip", inflate_gzip},  // RFC 9110 s. 8.4.1.3
      {"deflate", inflate_deflate},
      {"br", decode_brotli},
      {"zstd", decode_zstd},
  }};
  for (const auto& [name, decoder] : kDecoders) {
    if (base::equals_ignoring_case(coding, name)) return decoder;
  }
  return nullptr;
}

// Of all layers together: what an inner one makes is output of the same input.
std::size_t output_bound(std::size_t in_bytes, const DecodeLimits& limits) {
  const std::size_t by_ratio =
      limits.ratio != 0 && in_bytes > SIZE_MAX / limits.ratio ? SIZE_MAX : in_bytes * limits.ratio;
  return std::min(limits.output_bytes, std::max(by_ratio, kRatioFreeBytes));
}

}  // namespace

base::Result<Decoded> decode_body(std::string_view encoding, std::string_view bytes,
                                  const DecodeLimits& limits) {
  std::vector<Decoder> layers;
  for_each_element(encoding, [&layers](std::string_view coding) {
    if (!base::equals_ignoring_case(coding, "identity")) layers.push_back(decoder_for(coding));
  });
  if (std::find(layers.begin(), layers.end(), nullptr) != layers.end()) {
    return base::fail(base::Code::kBadEncoding, base::Fault::kOrigin, "unknown coding");
  }
  if (layers.size() > static_cast<std::size_t>(std::max(limits.layers, 0))) {
    return base::fail(base::Code::kDecodeLimit, base::Fault::kOrigin, "layers");
  }
  const std::size_t bound = output_bound(bytes.size(), limits);
  Decoded decoded;
  if (layers.empty() || bytes.empty()) {
    decoded.bytes = bytes.substr(0, limits.output_bytes);
    decoded.is_cut = decoded.bytes.size() < bytes.size();
    return decoded;
  }
  decoded.bytes = bytes;
  // Listed in the order in which they were applied, so undone from the last.
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) {
    std::string out;
    const DecodeEnd end = (*layer)(decoded.bytes, bound, out);
    if (end == DecodeEnd::kMalformed && out.empty()) {
      return base::fail(base::Code::kBadEncoding, base::Fault::kOrigin);
    }
    decoded.is_cut = decoded.is_cut || end != DecodeEnd::kWhole;
    decoded.bytes = std::move(out);
  }
  return decoded;
}

}  // namespace leash::http
