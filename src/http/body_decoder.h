// Undoes Content-Encoding for the copy that the audit log keeps; traffic itself is never touched.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace leash::http {

struct DecodeLimits {
  std::size_t output_bytes = 16 * 1024 * 1024;
  std::size_t ratio = 200;  // output bytes for each input byte, past the first 64 KiB
  int layers = 3;           // "gzip, br" is two
};

struct Decoded {
  std::string bytes;
  bool is_cut = false;  // the input ended early or a limit bit: what came out so far
};

// `encoding` is the value of Content-Encoding ("" and "identity" pass through). gzip, x-gzip,
// deflate (with and without zlib's header), br, zstd. Errors: bad_encoding for an unknown one, and
// for bytes that do not decode at all.
[[nodiscard]] base::Result<Decoded> decode_body(std::string_view encoding, std::string_view bytes,
                                                const DecodeLimits& limits);

}  // namespace leash::http
