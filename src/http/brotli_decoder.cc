#include <brotli/decode.h>

#include <algorithm>
#include <cstdint>
#include <memory>

#include "base/free_with.h"
#include "http/decoders.h"

namespace leash::http {

DecodeEnd decode_brotli(std::string_view in, std::size_t max_bytes, std::string& out) {
  const std::unique_ptr<BrotliDecoderState, base::FreeWith<BrotliDecoderDestroyInstance>> state(
      BrotliDecoderCreateInstance(nullptr, nullptr, nullptr));
  if (!state) return DecodeEnd::kMalformed;
  const std::size_t start = out.size();
  std::size_t in_left = in.size();
  const auto* next_in = reinterpret_cast<const std::uint8_t*>(in.data());
  for (;;) {
    // Without room of our own the decoder keeps its output in its window, and we take it from
    // there.
    std::size_t no_room = 0;
    std::uint8_t* nowhere = nullptr;
    const auto result =
        BrotliDecoderDecompressStream(state.get(), &in_left, &next_in, &no_room, &nowhere, nullptr);
    while (BrotliDecoderHasMoreOutput(state.get()) == BROTLI_TRUE) {
      const std::size_t room = max_bytes - (out.size() - start);
      std::size_t made = 0;  // no bound: as much as there is in one piece
      const std::uint8_t* bytes = BrotliDecoderTakeOutput(state.get(), &made);
      if (made == 0) break;
      out.append(reinterpret_cast<const char*>(bytes), std::min(made, room));
      if (made > room) return DecodeEnd::kCut;
    }
    switch (result) {
      case BROTLI_DECODER_RESULT_SUCCESS:
        return DecodeEnd::kWhole;
      case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
        return DecodeEnd::kCut;
      case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
        break;
      case BROTLI_DECODER_RESULT_ERROR:
        return DecodeEnd::kMalformed;
    }
  }
}

}  // namespace leash::http
