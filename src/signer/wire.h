// What the proxy (or the console) and the signer say to each other: one message a packet
// (SOCK_SEQPACKET), a type in the first byte, numbers in network order, nothing left over at the
// end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/authority.h"
#include "base/error.h"
#include "tls/authority_store.h"

namespace leash::signer {

// The signer takes nothing longer than a request for a name of 253 bytes; its answers hold a
// certificate.
inline constexpr std::size_t kMaxRequestBytes = 1 + 8 + 1 + 253;
inline constexpr std::size_t kMaxAnswerBytes = 16 * 1024;

// A leaf for one host, the only thing that can be asked for:
//   'M' | id, 8 | 'n' name | '4' 4 bytes | '6' 16 bytes
struct Request {
  std::uint64_t id = 0;  // comes back with the answer
  base::Host host;
};
[[nodiscard]] std::string write_request(const Request& request);
// The name must be in the one canonical form (base::Host): lower case, no dot at the end, no
// address in text. Errors (fault client): bad_syntax, and those of base::Host::parse.
[[nodiscard]] base::Result<Request> read_request(std::string_view message);

struct Answer {
  enum class Kind {
    kReady,    // at the signer's start, on each socket: text is the path of the CA's certificate,
               // pem the certificate
    kFailed,   // at its start: it cannot serve; text says why
    kLeaf,     // for the request `id`
    kRefused,  // the same; text says why
  };
  Kind kind = Kind::kReady;
  std::uint64_t id = 0;
  base::Code code = base::Code::kInternal;  // of kFailed and kRefused
  std::string text;
  std::string pem;
  tls::SignedLeaf leaf;
};
[[nodiscard]] std::string write_answer(const Answer& answer);
// Errors (fault proxy): bad_syntax.
[[nodiscard]] base::Result<Answer> read_answer(std::string_view message);

}  // namespace leash::signer
