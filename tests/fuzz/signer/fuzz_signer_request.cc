// What the proxy, or whoever has taken it over, sends to the signer: what is read as a request is
// in the one form in which it would be written, and what is answered is read back.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "signer/wire.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto request = leash::signer::read_request(bytes);
  if (request && leash::signer::write_request(*request) != bytes) std::abort();
  if (request && (request->host.empty() || bytes.size() > leash::signer::kMaxRequestBytes)) {
    std::abort();
  }
  // The other direction, on the same bytes.
  const auto answer = leash::signer::read_answer(bytes);
  if (answer && answer->kind == leash::signer::Answer::Kind::kLeaf &&
      leash::signer::write_answer(*answer) != bytes) {
    std::abort();
  }
  return 0;
}
