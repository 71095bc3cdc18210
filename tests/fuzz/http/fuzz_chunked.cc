// Chunked bodies out of a stranger's bytes: the same however they are cut, and the same when we
// have written them anew.
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "http/chunk_reader.h"
#include "http/h1_writer.h"

namespace {

using namespace leash::http;
namespace base = leash::base;

constexpr Limits kLimits{512, 16};
constexpr Limits kWide{4096, 16};  // what we write has a blank after each colon

void require(bool is_true) {
  if (!is_true) std::abort();
}

struct Read {
  std::string bytes;
  std::optional<Fields> trailers;  // the body is whole
  std::optional<base::Code> error;
  std::size_t used = 0;
  bool operator==(const Read&) const = default;
};

Read read(std::string_view bytes, std::size_t piece, const Limits& limits = kLimits) {
  ChunkReader reader(limits, base::Fault::kClient);
  Read out;
  while (out.used < bytes.size()) {
    const std::string copy(bytes.substr(out.used, piece));
    std::string_view in = copy;
    for (;;) {
      const auto event = reader.next(in);
      if (!event) {
        out.error = event.error().code;
        out.used = 0;  // how far it had looked is no promise
        return out;
      }
      if (!*event) break;
      if (const auto* end = std::get_if<MessageEnd>(&**event)) {
        out.trailers = end->trailers;
        out.used += copy.size() - in.size();
        return out;
      }
      out.bytes.append(std::get<BodyBytes>(**event).bytes);
    }
    out.used += copy.size();
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Read whole = read(bytes, size);
  require(read(bytes, 1) == whole);
  require(read(bytes, 3) == whole);
  if (!whole.trailers) return 0;
  std::string again;
  append_chunk(again, whole.bytes);
  append_last_chunk(again, *whole.trailers);
  const std::size_t length = again.size();
  const Read twice = read(again, length, kWide);
  require(twice.bytes == whole.bytes && twice.trailers == whole.trailers && twice.used == length);
  return 0;
}
