// peek_client_hello: never crashes, and more bytes never change a verdict.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tls/client_hello.h"

namespace {

using leash::tls::ClientHello;
using Verdict = leash::base::Result<std::optional<ClientHello>>;

bool are_equal(const Verdict& a, const Verdict& b) {
  if (!a || !b) return !a && !b && a.error().code == b.error().code;
  if (!a->has_value() || !b->has_value()) return a->has_value() == b->has_value();
  return (*a)->sni == (*b)->sni && (*a)->alpn == (*b)->alpn && (*a)->has_ech == (*b)->has_ech;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Verdict whole = leash::tls::peek_client_hello(bytes);
  // Every length for short inputs, some sixty for long ones.
  const std::size_t step = size / 64 + 1;
  for (std::size_t part = 0; part <= size; part += step) {
    const Verdict verdict = leash::tls::peek_client_hello(bytes.substr(0, part));
    const bool wants_more = verdict && !verdict->has_value();
    if (!wants_more && !are_equal(verdict, whole)) std::abort();
  }
  if (whole && !whole->has_value() && size >= leash::tls::kMaxHelloBytes) std::abort();
  return 0;
}
