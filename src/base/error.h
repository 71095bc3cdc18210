// What went wrong, as a value: a code, whose fault it was, and a text for the log.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace leash::base {

// Whose doing it was. Decides the class of the answer (4xx for the client, 502/504 for the origin,
// 503 for the proxy itself); only proxy/error_page.cc draws that conclusion.
enum class Fault { kClient, kOrigin, kProxy };

// Each code has one audit word, the one that `word` gives: kBadSyntax is "bad_syntax".
enum class Code {
  // names and addresses
  kBadSyntax,
  kBadHost,
  kBadPort,
  kHostTooLong,
  kNotAscii,
  kUserinfo,
  // HTTP/1 framing
  kBadRequestLine,
  kBadStatusLine,
  kBadVersion,
  kBadTarget,
  kBadFieldName,
  kBadFieldValue,
  kBadLineEnd,
  kObsFold,
  kHostMissing,
  kHostDuplicate,
  kHostMismatch,
  kBadContentLength,
  kDuplicateContentLength,
  kLengthAndEncoding,
  kBadTransferEncoding,
  kBadChunk,
  kBadTrailer,
  kHeadTooLarge,
  kTooManyFields,
  kUnsupportedMethod,
  kUpgradeRefused,
  kBodyIncomplete,
  kExcessBytes,
  // network
  kResolveFailed,
  kResolveTimeout,
  kConnectFailed,
  kConnectTimeout,
  kReset,
  kClosedEarly,
  kTimeout,
  kIdleTimeout,
  kTooManyConnections,
  kClientMemory,
  kAddressNotAllowed,
  kNoMemoryLeft,
  // TLS
  kTlsClient,
  kTlsServer,
  kTlsTimeout,
  kBadClientHello,
  kNotHttp,
  kNameMismatch,
  // files and settings
  kIo,
  kBadConfig,
  kBadPolicy,
  kBadKeyFile,
  kSignerUnavailable,
  // audit
  kAuditUnavailable,
  // decoding of captured bodies
  kBadEncoding,
  kDecodeLimit,
  // HTTP/2 and WebSocket
  kHttp2Protocol,
  kHttp2Flood,
  kStreamRefused,
  kTooManyStreams,
  kBadWebSocketFrame,
  // the proxy's own
  kShutdown,
  kInternal,
};

// snake_case, stable: it goes into the audit log.
std::string_view word(Code code);

struct Error {
  Code code = Code::kInternal;
  Fault fault = Fault::kProxy;
  // For people; never holds a secret. May be empty.
  std::string detail;

  // "bad_syntax" or "bad_syntax: detail".
  [[nodiscard]] std::string text() const;
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(Code code, Fault fault, std::string detail = {}) {
  return tl::unexpected<Error>(Error{code, fault, std::move(detail)});
}

}  // namespace leash::base
