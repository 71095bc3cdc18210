#include <zstd.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/free_with.h"
#include "http/decoders.h"

namespace leash::http {
namespace {

constexpr int kWindowLog = 23;  // 8 MiB

}  // namespace

DecodeEnd decode_zstd(std::string_view in, std::size_t max_bytes, std::string& out) {
  const std::unique_ptr<ZSTD_DStream, base::FreeWith<ZSTD_freeDStream>> stream(
      ZSTD_createDStream());
  if (!stream) return DecodeEnd::kMalformed;
  if (ZSTD_isError(ZSTD_DCtx_setParameter(stream.get(), ZSTD_d_windowLogMax, kWindowLog)) != 0) {
    return DecodeEnd::kMalformed;
  }
  const std::size_t start = out.size();
  ZSTD_inBuffer input{in.data(), in.size(), 0};
  std::array<char, 16384> piece;
  for (;;) {
    ZSTD_outBuffer output{piece.data(), piece.size(), 0};
    const std::size_t rc = ZSTD_decompressStream(stream.get(), &output, &input);
    const std::size_t room = max_bytes - (out.size() - start);
    out.append(piece.data(), std::min(output.pos, room));
    if (ZSTD_isError(rc) != 0) return DecodeEnd::kMalformed;
    if (output.pos > room) return DecodeEnd::kCut;
    const bool is_drained = output.pos < piece.size();
    if (input.pos == input.size && is_drained) {
      return rc == 0 ? DecodeEnd::kWhole : DecodeEnd::kCut;  // frames may follow each other
    }
  }
}

}  // namespace leash::http
