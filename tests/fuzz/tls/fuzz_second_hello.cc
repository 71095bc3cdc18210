// A client and a server that say what they like past SecondHello, in pieces: what goes on is what
// came, in order.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tls/second_hello.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  leash::tls::SecondHello second;
  std::string sent, out;
  const auto first = leash::tls::peek_client_hello(rest);
  if (!first || !*first) return 0;
  // The pieces behind the hello are cut by their first byte: 1 to 128 bytes, of either.
  const std::size_t begin = (*first)->bytes;
  sent.append(rest.substr(0, begin));
  second.begin(sent, begin, out);
  rest.remove_prefix(begin);
  while (!rest.empty()) {
    const auto choice = static_cast<unsigned char>(rest.front());
    rest.remove_prefix(1);
    const std::string_view piece = rest.substr(0, (choice >> 1) + 1U);
    rest.remove_prefix(piece.size());
    if ((choice & 1U) != 0) {
      second.on_server(piece);
      continue;
    }
    sent.append(piece);
    if (!second.on_client(piece, out)) return 0;
    static_cast<void>(second.take());
  }
  if (!second.on_client("", out)) return 0;
  if (sent.compare(0, out.size(), out) != 0) std::abort();
  if (second.is_over() && out.size() != sent.size()) std::abort();
  return 0;
}
