// A BIO between two strings: reads straight from the caller's bytes, appends to the output.
// Only .cc files in this folder include it.
#pragma once

#include <string>
#include <string_view>

#include "tls/openssl.h"

namespace leash::tls {

struct MemoryPipe {
  std::string_view in;  // shrinks as it is read; empty means "come again", never the end
  std::string out;
};

// `pipe` outlives the BIO and does not move. Null without memory.
[[nodiscard]] BioPtr make_memory_bio(MemoryPipe& pipe);

}  // namespace leash::tls
