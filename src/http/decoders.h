// The single content codings (RFC 9110 s. 8.4.1), one pass over memory each, with a bound on what
// comes out.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace leash::http {

enum class DecodeEnd {
  kWhole,      // the coded data ended as it should
  kCut,        // the input ended early, or the bound was reached
  kMalformed,  // a byte that the coding does not have; what came before it is in the output
};

// Each appends at most `max_bytes` to `out` and never reads what follows the end of the coded data.
[[nodiscard]] DecodeEnd inflate_gzip(std::string_view in, std::size_t max_bytes, std::string& out);
// With zlib's header or without: RFC 9110 says with, and half of the world does without.
[[nodiscard]] DecodeEnd inflate_deflate(std::string_view in, std::size_t max_bytes,
                                        std::string& out);
[[nodiscard]] DecodeEnd decode_brotli(std::string_view in, std::size_t max_bytes, std::string& out);
// Windows up to 8 MiB (RFC 9659).
[[nodiscard]] DecodeEnd decode_zstd(std::string_view in, std::size_t max_bytes, std::string& out);

}  // namespace leash::http
